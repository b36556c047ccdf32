/** Text whose hidden characters are shown. */
import { visible } from "../visible";

export function Visible({ text }: { text: string }) {
  return (
    <>
      {visible(text).map((run, index) =>
        run.escaped ? (
          <span key={index} class="hidden-character" title="A character that cannot be seen">
            {run.text}
          </span>
        ) : (
          run.text
        ),
      )}
    </>
  );
}
