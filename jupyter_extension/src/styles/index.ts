/** The style sheet of the shadow root. */
import answer from "./answer.css";
import base from "./base.css";
import composer from "./composer.css";
import frame from "./frame.css";
import header from "./header.css";
import inspector from "./inspector.css";
import popover from "./popover.css";
import problem from "./problem.css";
import tokens from "./tokens.css";
import tools from "./tools.css";
import transcript from "./transcript.css";
import welcome from "./welcome.css";

export const styles: string = [
  tokens,
  base,
  frame,
  header,
  transcript,
  answer,
  composer,
  welcome,
  problem,
  popover,
  tools,
  inspector,
].join("\n");
