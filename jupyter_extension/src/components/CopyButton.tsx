/** Copies a text and says so. */
import { useEffect, useState } from "preact/hooks";
import { usePlace } from "../hooks";
import { Icon } from "../icons";

interface CopyButtonProps {
  text(): string | Promise<string>;
  /** Its name. */
  what?: string;
  /** The icon alone. */
  bare?: boolean;
}

export function CopyButton({ text, what = "Copy", bare }: CopyButtonProps) {
  const [copied, setCopied] = useState(false);
  const { say } = usePlace();
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    await navigator.clipboard.writeText(await text());
    setCopied(true);
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
