/* A matrix of coloured cells: one element for each colour, so that 200 x 200 cells draw at once. */
"use strict";

(function () {
  const { rects, text, series } = prisam.shapes;
  const STEPS = 48; // shades of a scale
  const DECAL_PX = 7; // smaller cells carry no decal
  const LETTER_PX = 6.2;
  const MOST_TEXTS = 1500;

  /** A scale of colours from `min` to `max`: {min, max, colours, step(value)}. */
  function scaleOf(colours, min, max) {
    const shades = Array.from({ length: STEPS }, (_, i) =>
      echarts.color.lerp(i / (STEPS - 1), colours),
    );
    const width = max - min || 1;
    const step = (value) =>
      Math.min(STEPS - 1, Math.max(0, Math.round(((value - min) / width) * (STEPS - 1))));
    return { min, max, colours, shades, step };
  }

  /**
   * Pixels of cells: columns from the left, rows from the top. `seen.cells` keeps them for the
   * mouse.
   */
  function cellsOf(api, area, columns, rows) {
    const [x0, y0] = api.coord([0, 0]);
    const [width, height] = api.size([1, 1]).map(Math.abs);
    const [left, top] = [x0 - width / 2, y0 - height / 2];
    return {
      area,
      width,
      height,
      x: (column) => left + column * width,
      y: (row) => top + row * height,
      /** Which cell lies at a pixel: {column, row}, or null. */
      at(x, y) {
        const [column, row] = [Math.floor((x - left) / width), Math.floor((y - top) / height)];
        return column < 0 || row < 0 || column >= columns || row >= rows ? null : { column, row };
      },
    };
  }

  /**
   * The series of a matrix.
   * values: row by row, null or NaN = not known. words(value): what stands in a cell if it fits, or
   * null.
   * striped(value): whether the cell carries stripes of the scale's lower end, so that colour alone
   * need not tell.
   * seen: takes `cells`, to find by the mouse what was drawn.
   */
  function cellSeries({ columns, rows, values, scale, palette, seen, words, striped }) {
    const decal = {
      symbol: "rect",
      dashArrayX: [1, 0],
      dashArrayY: [1.5, 5],
      rotation: Math.PI / 4,
      color: scale.colours[0],
    };
    return series(
      "cells",
      (api, area) => {
        const cells = cellsOf(api, area, columns, rows);
        seen.cells = cells;
        const gap = Math.min(cells.width, cells.height) > 5 ? 1 : 0;
        const lists = new Map();
        for (let row = 0; row < rows; row += 1) {
          for (let column = 0; column < columns; column += 1) {
            const value = values[row * columns + column];
            if (value === null || Number.isNaN(value)) continue;
            const key = scale.step(value) * 2 + (striped && striped(value) ? 1 : 0);
            if (!lists.has(key)) lists.set(key, []);
            lists
              .get(key)
              .push(cells.x(column), cells.y(row), cells.width - gap, cells.height - gap);
          }
        }
        const fits = Math.min(cells.width, cells.height) >= DECAL_PX;
        const drawn = [...lists].map(([key, list]) =>
          rects(list, { fill: scale.shades[key >> 1], decal: key & 1 && fits ? decal : null }),
        );
        return words
          ? [...drawn, ...texts(cells, { columns, rows, values, scale, palette, words })]
          : drawn;
      },
      { z: 1 },
    );
  }

  /** Of the page's ink and paper, the one that can be read on a colour. */
  function inkOn(shade, palette) {
    const apart = (colour) => Math.abs(echarts.color.lum(colour, 1) - echarts.color.lum(shade, 1));
    return apart(palette.text) >= apart(palette.surface) ? palette.text : palette.surface;
  }

  function texts(cells, { columns, rows, values, scale, palette, words }) {
    if (columns * rows > MOST_TEXTS || cells.height < 12) return [];
    const inks = scale.shades.map((shade) => inkOn(shade, palette));
    const drawn = [];
    for (let i = 0; i < values.length; i += 1) {
      if (values[i] === null || Number.isNaN(values[i])) continue;
      const word = words(values[i]);
      if (word === null || word.length * LETTER_PX > cells.width - 3) continue;
      const [x, y] = [cells.x((i % columns) + 0.5), cells.y(Math.floor(i / columns) + 0.5)];
      // A rim of the cell's own colour keeps the stripes off the letters.
      const step = scale.step(values[i]);
      drawn.push(
        text(word, x, y, {
          fill: inks[step],
          stroke: scale.shades[step],
          lineWidth: 4,
          fontSize: 11,
          align: "center",
          verticalAlign: "middle",
        }),
      );
    }
    return drawn;
  }

  /**
   * Frames about cells, and marks in them. frames: [{cells: [[column, row], ..], style, inset}].
   */
  function frameSeries(columns, rows, frames) {
    return series(
      "frames",
      (api, area) => {
        const cells = cellsOf(api, area, columns, rows);
        return frames.map(({ cells: which, style, inset = 0.5, span = [1, 1] }) =>
          rects(
            which.flatMap(([column, row]) => [
              cells.x(column) + inset,
              cells.y(row) + inset,
              cells.width * span[0] - 2 * inset,
              cells.height * span[1] - 2 * inset,
            ]),
            style,
          ),
        );
      },
      { z: 3 },
    );
  }

  /** A pause in the middle of cells: rounds that a peer sat out. */
  function pauseSeries(columns, rows, which, palette) {
    return series(
      "sat out",
      (api, area) => {
        const cells = cellsOf(api, area, columns, rows);
        const height = Math.max(2, Math.min(10, cells.height * 0.5, cells.width));
        const bar = height / 3;
        return [
          rects(
            which.flatMap(([column, row]) => {
              const [x, y] = [cells.x(column + 0.5), cells.y(row + 0.5) - height / 2];
              return [x - 1.5 * bar, y, bar, height, x + 0.5 * bar, y, bar, height];
            }),
            { fill: palette.muted },
          ),
        ];
      },
      { z: 2, itemStyle: { color: palette.muted } },
    );
  }

  /** The cells of rounds that peers sat out, as [column, row], in a matrix of peers by rounds. */
  const pausesOf = (store, peers, rounds) => {
    const rowOf = new Map(peers.map((peer, row) => [peer, row]));
    return store
      .table("sat_out")
      .rows()
      .filter(({ peer, round }) => rowOf.has(peer) && round < rounds)
      .map(({ peer, round }) => [round, rowOf.get(peer)]);
  };

  /** Small squares in the upper right corner of cells. */
  function cornerSeries(columns, rows, which, palette) {
    return series(
      "corners",
      (api, area) => {
        const cells = cellsOf(api, area, columns, rows);
        const side = Math.min(6, cells.width / 3, cells.height / 2);
        return [
          rects(
            which.flatMap(([column, row]) => [
              cells.x(column + 1) - side - 1.5,
              cells.y(row) + 1,
              side,
              side,
            ]),
            { fill: palette.text },
          ),
        ];
      },
      { z: 2 },
    );
  }

  /** The legend of a scale, and no more: it changes nothing in the chart. */
  const legend = (scale, formatter, more) => ({
    type: "continuous",
    seriesIndex: [],
    min: scale.min,
    max: scale.max,
    inRange: { color: scale.colours },
    calculable: false,
    orient: "horizontal",
    left: "center",
    top: 0,
    itemWidth: 12,
    itemHeight: 180,
    text: [formatter(scale.max), formatter(scale.min)],
    ...more,
  });

  prisam.matrix = {
    scaleOf,
    cellsOf,
    cellSeries,
    frameSeries,
    cornerSeries,
    pauseSeries,
    pausesOf,
    legend,
  };
})();
