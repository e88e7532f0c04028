/* Light and dark, the palette (colours from page/palette.py, each with a shape beside it), and the
   colours of charts. */
"use strict";

(function () {
  const PALETTE = JSON.parse(document.getElementById("palette").textContent);
  const STORED = "prisam-theme";
  const SYMBOLS = [
    "circle",
    "rect",
    "triangle",
    "diamond",
    "pin",
    "arrow",
    "roundRect",
    "emptyCircle",
  ];
  const DASHES = ["solid", [6, 3], [2, 3], [8, 3, 2, 3]];
  const DECALS = [
    { symbol: "none" },
    { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: Math.PI / 4 },
    {
      symbol: "circle",
      dashArrayX: [
        [8, 8],
        [0, 8, 8, 0],
      ],
      dashArrayY: [6, 0],
      symbolSize: 0.7,
    },
    { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: -Math.PI / 4 },
    { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 5] },
    { symbol: "rect", dashArrayX: [3, 5], dashArrayY: [1, 0] },
    {
      symbol: "triangle",
      dashArrayX: [
        [9, 9],
        [0, 9, 9, 0],
      ],
      dashArrayY: [7, 2],
      symbolSize: 0.7,
    },
    { symbol: "circle", dashArrayX: [5, 5], dashArrayY: [5, 5], symbolSize: 0.4 },
  ];
  const system = matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];
  let choice = stored() || "auto"; // auto, light, dark
  let forced = null; // of printing

  function stored() {
    try {
      const found = localStorage.getItem(STORED);
      return ["light", "dark"].includes(found) ? found : null;
    } catch {
      return null; // a file may have no storage; the choice then lasts as long as the page
    }
  }

  const dark = () =>
    (forced || (choice === "auto" ? (system.matches ? "dark" : "light") : choice)) === "dark";

  function apply() {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    for (const fn of listeners) fn();
  }

  const variable = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /**
   * A colour of this number, with a decal (bars), a symbol (points) and dashes (lines) of its own.
   */
  function mark(i) {
    const n = PALETTE.light.colours.length;
    const at = ((i % n) + n) % n;
    return {
      color: PALETTE[dark() ? "dark" : "light"].colours[at],
      decal: DECALS[at % DECALS.length],
      symbol: SYMBOLS[at % SYMBOLS.length],
      dash: DASHES[Math.floor(Math.abs(i) / n + at) % DASHES.length],
    };
  }

  /** The number of a name: its place in the palette, or one that its letters give. */
  function placeOf(name, places) {
    if (name in places) return places[name];
    let sum = 0;
    for (const letter of String(name)) sum = (sum * 31 + letter.charCodeAt(0)) % 997;
    return sum;
  }

  function named(name, places) {
    const order = Object.keys(places).indexOf(name);
    const found = mark(placeOf(name, places));
    return order < 0
      ? found
      : { ...found, decal: DECALS[order % DECALS.length], symbol: SYMBOLS[order % SYMBOLS.length] };
  }

  /** A phase has a colour of its own, and a decal (its place in the palette gives it). */
  function phase(name) {
    const colours = PALETTE[dark() ? "dark" : "light"].phases;
    const order = Object.keys(colours).indexOf(name);
    return order < 0 ? mark(placeOf(name, {})) : { ...mark(order), color: colours[name] };
  }

  const VERDICTS = { true: "good", false: "bad", "not judged": "plain" }; // report/verdicts.py

  /** The mark of a verdict, or of a tile's tone: {tone, color, symbol: a letter such as ✓}. */
  function verdict(value) {
    const text = String(value);
    const tone = text in PALETTE.symbols ? text : (VERDICTS[text] ?? "unknown");
    const symbol = text === "not judged" ? "–" : PALETTE.symbols[tone];
    return { tone, color: PALETTE[dark() ? "dark" : "light"].verdicts[tone], symbol };
  }

  prisam.palette = {
    mark,
    phase,
    kind: (name) => named(name, PALETTE.kinds),
    group: (i) =>
      i === null || i === undefined || i < 0 ? { ...mark(7), dash: "solid" } : mark(i),
    verdict,
    /**
     * Colours from nothing to much ("sequential"), or from loss over nothing to gain ("diverging").
     */
    scale: (name) => PALETTE[dark() ? "dark" : "light"][name],
    get dark() {
      return dark();
    },
    get text() {
      return variable("--text");
    },
    get muted() {
      return variable("--muted");
    },
    get line() {
      return variable("--line");
    },
    get surface() {
      return variable("--surface");
    },
    get accent() {
      return variable("--accent");
    },
    get selected() {
      return variable("--selected");
    },
    get shade() {
      return variable("--shade");
    },
  };

  /** The chart's colours of text, axes and lines, as the page has them now. */
  function ofCharts() {
    const { text, muted, line } = prisam.palette;
    const axis = {
      axisLine: { lineStyle: { color: muted } },
      axisTick: { lineStyle: { color: muted } },
      axisLabel: { color: muted },
      nameTextStyle: { color: muted },
      splitLine: { lineStyle: { color: line } },
    };
    return {
      color: Array.from({ length: 8 }, (_, i) => mark(i).color),
      backgroundColor: "transparent",
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: text },
      legend: {
        textStyle: { color: text },
        pageTextStyle: { color: text },
        pageIconColor: text,
        pageIconInactiveColor: line,
      },
      visualMap: { textStyle: { color: muted } },
      dataZoom: { textStyle: { color: muted } },
      categoryAxis: { ...axis, splitLine: { show: false } },
      valueAxis: axis,
      logAxis: axis,
      timeAxis: axis,
    };
  }

  prisam.theme = {
    ofCharts,
    get choice() {
      return choice;
    },
    choose(value) {
      choice = value;
      try {
        if (value === "auto") localStorage.removeItem(STORED);
        else localStorage.setItem(STORED, value);
      } catch {
        // see stored()
      }
      apply();
    },
    /** Paper is light, whatever the screen is. */
    force(value) {
      forced = value;
      apply();
    },
    onChange(fn) {
      listeners.push(fn);
    },
  };

  system.addEventListener("change", apply);
  apply();
})();
