/** Icons on a grid of 16 px: strokes of 1.5 with round ends, in the colour of the text. */

const PATHS = {
  alert: "M8 2.5 14 13.25H2zM8 6.5v3M8 11.4v.1",
  arrowDown: "M8 3v10M4 9l4 4 4-4",
  arrowUp: "M8 13V3M4 7l4-4 4 4",
  bolt: "M8.75 2 4 9h4l-.75 5L12 7H8z",
  check: "m3 8.5 3.25 3.25L13 5",
  chevronDown: "m4.5 6.25 3.5 3.5 3.5-3.5",
  chevronLeft: "M9.75 4.5 6.25 8l3.5 3.5",
  chevronRight: "M6.25 4.5 9.75 8l-3.5 3.5",
  close: "m4 4 8 8M12 4l-8 8",
  copy: "M5.75 5.75h7.5v7.5h-7.5zM3.25 10.25h-.5v-7.5h7.5v.5",
  denied: "M8 2.25a5.75 5.75 0 1 0 0 11.5 5.75 5.75 0 0 0 0-11.5M4 12 12 4",
  edit: "M3 13h2.25L13 5.25 10.75 3 3 10.75zM9.25 4.5l2.25 2.25",
  end: "M4.5 4.5h7v7h-7z",
  export: "M8 10V2.5M5 5.25 8 2.5l3 2.75M3 9.5v3.75h10V9.5",
  fork: "M4.5 5.25v5.5M4.5 8.5h4a3 3 0 0 0 3-3v-.25M4.5 5.25a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3M4.5 13.75a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3M11.5 5.25a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3",
  forget: "M6 3.5h7.25v9H6L2 8zM7.75 6.25l3.5 3.5M11.25 6.25l-3.5 3.5",
  freeze: "M8 2v12M2.8 5l10.4 6M13.2 5 2.8 11M6.5 3 8 4.25 9.5 3M6.5 13 8 11.75 9.5 13",
  insert: "M2.75 3h10.5v4H2.75zM8 9v5M5.5 11.5h5",
  memory: "M2.75 4.5c0-1 2.35-1.75 5.25-1.75s5.25.75 5.25 1.75S10.9 6.25 8 6.25 2.75 5.5 2.75 4.5M2.75 4.5v7c0 1 2.35 1.75 5.25 1.75s5.25-.75 5.25-1.75v-7M2.75 8c0 1 2.35 1.75 5.25 1.75S13.25 9 13.25 8",
  more: "M3.25 8h.01M8 8h.01M12.75 8h.01",
  plus: "M8 3v10M3 8h10",
  retry: "M13 8a5 5 0 1 1-1.6-3.65M13.25 2.25V5h-2.75",
  rewind: "M6 4 2.5 7.25 6 10.5M3 7.25h6.25a3.5 3.5 0 0 1 0 7H7",
  search: "M7 2.75a4.25 4.25 0 1 0 0 8.5 4.25 4.25 0 0 0 0-8.5M10.25 10.25l3 3",
  thought: "M8 2.25a4.25 4.25 0 0 0-2.25 7.85v1.4h4.5v-1.4A4.25 4.25 0 0 0 8 2.25M6.25 13.75h3.5",
  trash: "M2.75 4.5h10.5M6 4.5V2.75h4V4.5M4.25 4.5l.6 8.75h6.3l.6-8.75",
  undo: "M5.5 3.5 2.75 6.25 5.5 9M3 6.25h6.5a3.5 3.5 0 0 1 0 7H6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width={name === "more" ? 2.25 : 1.5}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
