/** The style sheet of the shadow root. */
import base from "./base.css";
import frame from "./frame.css";
import inspector from "./inspector.css";
import popover from "./popover.css";
import tokens from "./tokens.css";
import tools from "./tools.css";

export const styles: string = [tokens, base, frame, popover, tools, inspector].join("\n");
