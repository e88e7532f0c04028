/* Shapes that draw thousands of rectangles, arrows or diamonds as one element of a chart.
   ECharts clips and exports them like any shape; what lies under the mouse is the view's own
   question (timeline_tip.js). */
"use strict";

(function () {
  const ARROW_HEAD = 5; // pixels
  const DIAMOND = 5; // pixels from its middle to its points

  echarts.graphic.registerShape(
    "prisam-rects",
    echarts.graphic.extendShape({
      shape: { rects: null },
      buildPath(path, { rects }) {
        for (let i = 0; rects && i < rects.length; i += 4)
          path.rect(rects[i], rects[i + 1], rects[i + 2], rects[i + 3]);
      },
    }),
  );

  echarts.graphic.registerShape(
    "prisam-arrows",
    echarts.graphic.extendShape({
      shape: { arrows: null },
      buildPath(path, { arrows }) {
        for (let i = 0; arrows && i < arrows.length; i += 4)
          arrow(path, arrows[i], arrows[i + 1], arrows[i + 2], arrows[i + 3]);
      },
    }),
  );

  echarts.graphic.registerShape(
    "prisam-diamonds",
    echarts.graphic.extendShape({
      shape: { points: null },
      buildPath(path, { points }) {
        for (let i = 0; points && i < points.length; i += 2)
          diamond(path, points[i], points[i + 1]);
      },
    }),
  );

  function diamond(path, x, y) {
    path.moveTo(x - DIAMOND, y);
    path.lineTo(x, y - DIAMOND);
    path.lineTo(x + DIAMOND, y);
    path.lineTo(x, y + DIAMOND);
    path.closePath();
  }

  function arrow(path, x0, y0, x1, y1) {
    const length = Math.hypot(x1 - x0, y1 - y0);
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
    if (length < 1) return;
    const dx = ((x1 - x0) / length) * ARROW_HEAD;
    const dy = ((y1 - y0) / length) * ARROW_HEAD;
    path.lineTo(x1 - dx + dy / 2, y1 - dy - dx / 2);
    path.moveTo(x1, y1);
    path.lineTo(x1 - dx - dy / 2, y1 - dy + dx / 2);
  }

  const still = (type, shape, style) => ({ type, shape, style, silent: true, transition: [] });

  /** Rectangles: x, y, width, height of each in pixels, one after the other. */
  const rects = (list, style) => still("prisam-rects", { rects: list }, style);

  /** Arrows: x and y of begin and end of each in pixels, one after the other. */
  const arrows = (list, style) =>
    still("prisam-arrows", { arrows: list }, { fill: null, ...style });

  /** Diamonds about points: x and y of each in pixels, one after the other. */
  const diamonds = (list, style) => still("prisam-diamonds", { points: list }, style);

  const text = (words, x, y, style) => still("text", undefined, { text: words, x, y, ...style });

  /**
   * A series that draws what `draw(api, area)` returns: elements for the whole plot.
   * area: {x, y, width, height} of the plot in pixels. `more`: further options of the series.
   */
  function series(name, draw, more) {
    return {
      name,
      type: "custom",
      data: [[0, 0]],
      clip: true,
      silent: true,
      animation: false,
      renderItem: (params, api) => ({
        type: "group",
        diffChildrenByName: false,
        children: draw(api, params.coordSys),
      }),
      ...more,
    };
  }

  prisam.shapes = { rects, arrows, diamonds, text, series };
})();
