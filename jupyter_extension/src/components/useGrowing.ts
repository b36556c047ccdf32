/** A text field as high as its text, up to a number of lines. */
import { useLayoutEffect } from "preact/hooks";

export function useGrowing(area: { current: HTMLTextAreaElement | null }, text: string, lines = 8): void {
  useLayoutEffect(() => {
    const field = area.current;
    if (!field) return;
    const fit = () => {
      const style = getComputedStyle(field);
      const padding = Number.parseFloat(style.paddingTop) + Number.parseFloat(style.paddingBottom);
      const most = lines * (Number.parseFloat(style.lineHeight) || 22) + padding;
      field.style.height = "auto";
      const wanted = Math.min(field.scrollHeight, most);
      if (wanted) field.style.height = `${wanted}px`;
      field.style.overflowY = field.scrollHeight > most + 1 ? "auto" : "hidden";
    };
    fit();
    if (typeof ResizeObserver === "undefined") return;
    let width = field.clientWidth;
    const observer = new ResizeObserver(() => {
      if (field.clientWidth === width) return;
      width = field.clientWidth;
      fit();
    });
    observer.observe(field);
    return () => observer.disconnect();
  }, [text, lines]);
}
