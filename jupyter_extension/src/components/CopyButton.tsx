/** Copies a text and says so. */
import { useCopied, usePlace } from "../hooks";
import { Icon } from "../icons";

interface CopyButtonProps {
  text(): string | Promise<string>;
  /** Its name. */
  what?: string;
  /** The icon alone. */
  bare?: boolean;
}

export function CopyButton({ text, what = "Copy", bare }: CopyButtonProps) {
  const [copied, tell] = useCopied();
  const { say } = usePlace();
  const copy = async () => {
    await navigator.clipboard.writeText(await text());
    tell();
    say("Copied");
  };
  return (
    <button
      type="button"
      class="small-button"
      aria-label={what}
      title={what}
      onClick={() => void copy().catch(() => say("The browser did not let it be copied."))}
    >
      <Icon name={copied ? "check" : "copy"} size={14} />
      {!bare && (copied ? "Copied" : "Copy")}
    </button>
  );
}
