// Line icons on a grid of 24, drawn with the text's colour.

const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  check: "M4 13l5 5L20 6",
  tag: "M4 12l8-8h8v8l-8 8zM16.5 7.5v.01",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 4-6 8-6s8 2 8 6",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  pencil: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  spark: "M12 3v6M12 15v6M3 12h6M15 12h6",
  bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  tools: "M4 9h16v10H4zM9 9V5h6v4M4 14h16M12 12v4",
  clip: "M8 12l6-6a3 3 0 0 1 4 4l-8 8a5 5 0 0 1-7-7l8-8",
};

/** An icon for eyes alone. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "drawn");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
