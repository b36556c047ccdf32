/** The style sheet of the shadow root. */
import base from "./base.css";
import frame from "./frame.css";
import tokens from "./tokens.css";

export const styles: string = [tokens, base, frame].join("\n");
