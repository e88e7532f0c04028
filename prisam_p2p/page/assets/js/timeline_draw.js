/* The timeline's series: spans, pulls in lanes, gaps, faults, notes and arrows. Each draws what
   the window shows. */
"use strict";

(function () {
  const { rects, arrows, diamonds, text, series } = prisam.shapes;
  const { spansOf, pullsOf, arrowsTo } = prisam.timelineModel;
  const { bars } = prisam.spanIndex;

  const SPANS = [-0.44, 0.16]; // where a peer's spans lie within its row
  const PULLS = [0.2, 0.46];
  const LABEL_ROW_PX = 16; // lower rows have no words and no decals
  const LETTER_PX = 6.5;
  const MOST_LABELS = 200; // of one phase
  const MOST_ARROWS = 500;
  const BRACKET_PX = 2;
  const PAUSE_LINE_PX = 2;
  const PAUSE_PX = 10; // at most
  const FAULT_LANES = 3;
  const FAULT_LANE_PX = 15;
  const DARK = 0.4; // luminance; the usual decal, dark grey, is hard to see below it
  const NOTES_PX = 14; // between the labels of faults and the first row

  /** Turns seconds and rows into pixels. `within` a row: from -0.5 (top) to 0.5. */
  function scaleOf(api, area) {
    const [x0, y0] = api.coord([0, 0]);
    const perSecond = api.coord([1, 0])[0] - x0;
    const rowPx = Math.abs(api.size([0, 1])[1]);
    return {
      area,
      rowPx,
      perSecond,
      from_s: (area.x - x0) / perSecond,
      to_s: (area.x + area.width - x0) / perSecond,
      x: (t_s) => x0 + t_s * perSecond,
      t: (x) => (x - x0) / perSecond,
      y: (row, within) => y0 + (row + within) * rowPx,
      row: (y) => Math.round((y - y0) / rowPx),
    };
  }

  /** Rectangles in a row for bars [begin, end, ..]. */
  function inRow(scale, bar, row, [top, bottom]) {
    const list = new Float64Array(bar.length * 2);
    const [y, height] = [scale.y(row, top), (bottom - top) * scale.rowPx];
    for (let i = 0; i < bar.length; i += 2) {
      const x = scale.x(bar[i]);
      list.set([x, y, Math.max(0.5, scale.x(bar[i + 1]) - x), height], i * 2);
    }
    return list;
  }

  const visible = (scale, list) => bars(list, scale.from_s, scale.to_s, 0.5 / scale.perSecond);

  /** The mark of a phase; on a dark colour, its decal is white. */
  const decalSeen = ({ color, decal }) => ({
    color,
    decal:
      echarts.color.lum(color, 1) < DARK ? { ...decal, color: "rgba(255, 255, 255, 0.5)" } : decal,
  });

  function phaseSeries(model, phase, palette) {
    const name = model.phases[phase];
    const { color, decal } = decalSeen(palette.phase(name));
    const middle = (SPANS[0] + SPANS[1]) / 2;
    const place = model.waits[phase] ? [middle - 0.1, middle + 0.1] : SPANS;
    return series(
      name,
      (api, area) => {
        const scale = scaleOf(api, area);
        const roomy = scale.rowPx >= LABEL_ROW_PX;
        const drawn = [];
        const words = [];
        model.peers.forEach((peer, row) => {
          const list = model.spanLists.get(peer * model.phases.length + phase);
          if (!list) return;
          const bar = visible(scale, list);
          drawn.push(
            rects(inRow(scale, bar, row, place), { fill: color, decal: roomy ? decal : null }),
          );
          if (roomy && !model.waits[phase]) label(words, scale, bar, row, name, palette);
        });
        return [...drawn, ...words];
      },
      { itemStyle: { color, decal }, z: 2 },
    );
  }

  function label(words, scale, bar, row, name, palette) {
    for (let i = 0; i < bar.length && words.length < MOST_LABELS; i += 2) {
      const [x, width] = [scale.x(bar[i]), (bar[i + 1] - bar[i]) * scale.perSecond];
      if (width < name.length * LETTER_PX + 8) continue;
      words.push(
        text(name, x + 4, scale.y(row, (SPANS[0] + SPANS[1]) / 2), {
          fill: palette.text,
          stroke: palette.surface,
          lineWidth: 2.5,
          fontSize: 11,
          verticalAlign: "middle",
        }),
      );
    }
  }

  const PAUSES = "round that the peer sat out";
  const OUTCOMES = {
    arrived: "pull",
    failed: "pull that failed",
    rejected: "pull whose weights were rejected",
  };

  function pullSeries(model, outcome, palette) {
    const color =
      outcome === "arrived" ? palette.phase("pulling").color : palette.verdict("bad").color;
    const ofOutcome = (list) => {
      const keep = Array.from(list.row.keys()).filter(
        (i) => model.pull.outcome[list.row[i]] === outcome,
      );
      return { begin: keep.map((i) => list.begin[i]), end: keep.map((i) => list.end[i]) };
    };
    const lists = model.peers.map((peer) =>
      pullsOf(model, peer).map(([lane, list]) => [lane, ofOutcome(list)]),
    );
    return series(
      OUTCOMES[outcome],
      (api, area) => {
        const scale = scaleOf(api, area);
        const height = (PULLS[1] - PULLS[0]) / model.lanes;
        const style =
          outcome === "arrived" ? { fill: color } : { fill: null, stroke: color, lineWidth: 1.5 };
        return lists.flatMap((ofPeer, row) =>
          ofPeer.map(([lane, list]) => {
            const top = PULLS[0] + lane * height;
            return rects(inRow(scale, visible(scale, list), row, [top, top + height * 0.8]), style);
          }),
        );
      },
      { itemStyle: { color }, z: 3 },
    );
  }

  function gapSeries(model, palette) {
    const decal = {
      symbol: "rect",
      dashArrayX: [1, 0],
      dashArrayY: [1, 4],
      rotation: -Math.PI / 4,
      color: palette.muted,
    };
    return series(
      "no record",
      (api, area) => {
        const scale = scaleOf(api, area);
        return model.peers.map((peer, row) =>
          rects(inRow(scale, model.gaps.get(peer), row, SPANS), {
            fill: palette.shade,
            decal,
            stroke: palette.line,
            lineWidth: 1,
          }),
        );
      },
      { itemStyle: { color: palette.shade, decal }, z: 1 },
    );
  }

  /**
   * Rounds that peers sat out, where their pulls would be: a line as long as the peer waited, and
   * a pause in its middle.
   */
  function pauseSeries(pauses, model, palette) {
    const middle = (PULLS[0] + PULLS[1]) / 2;
    return series(
      PAUSES,
      (api, area) => {
        const scale = scaleOf(api, area);
        const high = Math.min(PAUSE_PX, Math.max(3, (PULLS[1] - PULLS[0]) * scale.rowPx));
        const list = model.peers.flatMap((peer, row) =>
          (pauses.get(peer) || []).flatMap(({ begin_s, end_s }) => {
            if (end_s < scale.from_s || begin_s > scale.to_s) return [];
            const [x, y] = [scale.x(begin_s), scale.y(row, middle)];
            const [width, bar] = [(end_s - begin_s) * scale.perSecond, high / 3.5];
            const centre = x + width / 2;
            return [
              ...[x, y - PAUSE_LINE_PX / 2, width, PAUSE_LINE_PX],
              ...[centre - 1.5 * bar, y - high / 2, bar, high],
              ...[centre + 0.5 * bar, y - high / 2, bar, high],
            ];
          }),
        );
        return [rects(list, { fill: palette.text })];
      },
      { itemStyle: { color: palette.text }, z: 3 },
    );
  }

  /**
   * Where each fault's band begins and ends, in seconds; one that was never healed lasts until the
   * end.
   */
  function bandsOf(store, model) {
    return store
      .table("faults")
      .rows()
      .filter((fault) => fault.applied_s !== null && fault.applied_s !== undefined)
      .sort((a, b) => a.applied_s - b.applied_s)
      .map((fault) => ({
        fault,
        begin_s: fault.applied_s,
        end_s: fault.healed_s ?? model.end_s,
        rows: peersHit(fault)
          .map((peer) => model.rowOf.get(peer))
          .filter((row) => row !== undefined),
        label: `${fault.occurrence} ${fault.verdict ?? "no verdict"}`,
        lane: null, // of its label; null where no label is
      }));
  }

  const peersHit = (fault) => [...new Set([...(fault.peers || []), ...(fault.links || []).flat()])];

  /**
   * The bands of faults. `seen` takes the scale, and where each was drawn: {occurrence, begin_px,
   * end_px}.
   */
  function faultSeries(bands, chosen, palette, seen) {
    return series(
      "faults",
      (api, area) => {
        const scale = scaleOf(api, area);
        seen.scale = scale;
        seen.bands = [];
        const free = new Array(FAULT_LANES).fill(area.x); // from where on a lane of labels is free
        return bands.flatMap((band) => {
          const [begin_px, end_px] = [scale.x(band.begin_s), scale.x(band.end_s)];
          seen.bands.push({ occurrence: band.fault.occurrence, begin_px, end_px });
          const x = Math.max(begin_px, area.x);
          const right = Math.min(Math.max(end_px, begin_px + 1), area.x + area.width);
          band.lane = null;
          if (right <= x) return [];
          placeLabel(band, free, x);
          return bandShapes(
            band,
            scale,
            { x, width: right - x, begin_px },
            palette,
            chosen === band.fault.occurrence,
          );
        });
      },
      { clip: false, z: 0, itemStyle: { color: palette.verdict("bad").color } },
    );
  }

  /** Give a band's label the first lane that has room at x. */
  function placeLabel(band, free, x) {
    const lane = free.findIndex((from) => from <= x);
    if (lane < 0) return;
    band.lane = lane;
    free[lane] = x + (band.label.length + 4) * LETTER_PX;
  }

  function bandShapes(band, scale, { x, width, begin_px }, palette, strong) {
    const { area } = scale;
    const { color, symbol } = palette.verdict(band.fault.verdict);
    const top = labelTop(area, band.lane ?? FAULT_LANES);
    const rows = band.rows.flatMap((row) => [x, scale.y(row, -0.5), width, scale.rowPx]);
    const drawn = [
      rects([x, area.y, width, area.height], { fill: color, opacity: strong ? 0.16 : 0.05 }),
      rects(rows, { fill: color, opacity: strong ? 0.4 : 0.22 }),
      rects(begin_px >= area.x ? [begin_px - 0.5, top, 1, area.y + area.height - top] : [], {
        fill: color,
      }),
    ];
    if (band.lane === null) return drawn;
    const style = { fill: palette.text, fontSize: 11, fontWeight: strong ? "bold" : "normal" };
    return [...drawn, text(`${symbol} ${band.label}`, x + 3, top + 1, style)];
  }

  const labelTop = (area, lane) => area.y - NOTES_PX - FAULT_LANE_PX * (FAULT_LANES - lane);

  /** Notes of a peer stand in its row, and those of the launcher on the upper edge. */
  function noteSeries(notes, model, palette) {
    const { color } = palette.verdict("unknown");
    return series(
      "notes",
      (api, area) => {
        const scale = scaleOf(api, area);
        const inside = notes.filter((note) => note.at_s >= scale.from_s && note.at_s <= scale.to_s);
        const points = inside.flatMap((note) => [
          scale.x(note.at_s),
          model.rowOf.has(note.peer)
            ? scale.y(model.rowOf.get(note.peer), 0)
            : area.y - NOTES_PX / 2,
        ]);
        return [diamonds(points, { fill: color, stroke: palette.surface, lineWidth: 1 })];
      },
      { clip: false, z: 6, itemStyle: { color } },
    );
  }

  /** Lines between data groups. */
  function groupSeries(model, store, palette) {
    const begins = prisam.charts.groupBegins(store, model.peers, model.order);
    return series(
      "groups",
      (api, area) => {
        const scale = scaleOf(api, area);
        return [
          rects(
            begins.flatMap((row) => [area.x, scale.y(row, -0.5), area.width, 1]),
            { fill: palette.muted },
          ),
        ];
      },
      { z: 4 },
    );
  }

  /**
   * Arrows to the selected peer, and a frame about its row; lines about the selected round at every
   * peer.
   */
  function selectionSeries(model, store, { peer, round }, palette) {
    const leading =
      peer === null
        ? []
        : arrowsTo(model, store, peer).filter((each) => round === null || each.round === round);
    return series(
      "arrows",
      (api, area) => {
        const scale = scaleOf(api, area);
        const drawn = round === null ? [] : [bracketed(model, scale, round, palette)];
        if (peer === null || !model.rowOf.has(peer)) return drawn;
        const row = model.rowOf.get(peer);
        drawn.push(
          rects([area.x, scale.y(row, -0.49), area.width, scale.rowPx * 0.98], {
            fill: null,
            stroke: palette.selected,
            lineWidth: 1.5,
          }),
        );
        const inside = leading.filter(
          (each) => each.end_s >= scale.from_s && each.begin_s <= scale.to_s,
        );
        for (const [kind, lineDash] of [
          ["mask", [3, 2]],
          ["weights", null],
        ]) {
          const list = inside
            .slice(0, MOST_ARROWS)
            .filter((each) => each.kind === kind && model.rowOf.has(each.from));
          drawn.push(
            arrows(
              list.flatMap((each) => [
                scale.x(each.begin_s),
                scale.y(model.rowOf.get(each.from), 0),
                scale.x(each.end_s),
                scale.y(row, 0),
              ]),
              { stroke: palette.text, lineWidth: 1.2, lineDash },
            ),
          );
        }
        if (inside.length > MOST_ARROWS)
          drawn.push(
            text(
              `${MOST_ARROWS} of ${inside.length} arrows are drawn: zoom in, or select a round`,
              area.x + 4,
              area.y + 4,
              { fill: palette.text, fontSize: 11 },
            ),
          );
        return drawn;
      },
      { z: 5, itemStyle: { color: palette.text } },
    );
  }

  /** A line where a round begins at each peer, and one where it ends. */
  function bracketed(model, scale, round, palette) {
    const list = model.peers.flatMap((peer, row) => {
      const ofRound = spansOf(model, peer).flatMap(([, { row: rows }]) =>
        Array.from(rows).filter((each) => model.span.round[each] === round),
      );
      if (!ofRound.length) return [];
      const begin_s = Math.min(...ofRound.map((each) => model.span.begin_s[each]));
      const end_s = Math.max(...ofRound.map((each) => model.span.end_s[each]));
      return [begin_s, end_s].flatMap((t_s) => [
        scale.x(t_s) - BRACKET_PX / 2,
        scale.y(row, -0.5),
        BRACKET_PX,
        scale.rowPx,
      ]);
    });
    return rects(list, { fill: palette.text });
  }

  prisam.timelineDraw = {
    phaseSeries,
    pullSeries,
    gapSeries,
    bandsOf,
    pauseSeries,
    faultSeries,
    groupSeries,
    noteSeries,
    selectionSeries,
    OUTCOMES,
    PULLS,
    PAUSES,
    FAULT_LANES,
    FAULT_LANE_PX,
    NOTES_PX,
  };
})();
