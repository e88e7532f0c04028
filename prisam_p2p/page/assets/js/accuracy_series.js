/* What is drawn in the figure "Accuracy" of view 3: peers, means and bands by data group, the
   reference runs, faults, and what is selected. */
"use strict";

(function () {
  const { MOMENT_NAMES, STAR, PAUSE, groupName } = prisam.charts;
  const { AGGREGATED, FINE_TUNED } = prisam.charts.MOMENTS;
  const { spread, broken } = prisam.series;
  const MOST_LINES = 60; // more peers are a smear, unless they are asked for

  /** All peers of a group as one series. */
  function peerSeries(name, mark, lines, moment, many) {
    return {
      name,
      type: "line",
      data: broken(lines, moment),
      showSymbol: moment === FINE_TUNED,
      symbol: moment === FINE_TUNED ? STAR : mark.symbol,
      symbolSize: moment === FINE_TUNED ? 8 : 5,
      z: 2,
      lineStyle: { color: mark.color, width: 1, opacity: many ? 0.25 : 0.45 },
      itemStyle: { color: mark.color },
      triggerLineEvent: true,
    };
  }

  function meanSeries(name, mark, rows, moment) {
    const trained = moment !== AGGREGATED;
    return {
      name,
      type: "line",
      z: 4,
      ...symbolOf(mark, rows, moment),
      data: rows.map((row) => [row.x, row.y, null, row.round, moment, row]),
      lineStyle: {
        color: mark.color,
        width: moment === FINE_TUNED ? 0 : trained ? 1.5 : 2.5,
        type: trained ? "dotted" : "solid",
      },
      itemStyle: { color: mark.color },
    };
  }

  const symbolOf = (mark, rows, moment) =>
    moment === FINE_TUNED
      ? { symbol: STAR, symbolSize: 15 }
      : { symbol: mark.symbol, symbolSize: rows.length > 40 ? 0 : 6 };

  function bandSeries(name, mark, rows) {
    return {
      name,
      type: "custom",
      z: 1,
      silent: true,
      data: [[0, 0]],
      tooltip: { show: false },
      encode: { x: -1, y: -1 },
      itemStyle: { color: mark.color },
      renderItem(params, api) {
        if (params.dataIndexInside || !rows.length) return null;
        const points = [
          ...rows.map((row) => api.coord([row.x, row.high])),
          ...rows.map((row) => api.coord([row.x, row.low])).reverse(),
        ];
        return {
          type: "polygon",
          shape: { points },
          style: { fill: mark.color, opacity: 0.13 },
          silent: true,
          clipPath: { type: "rect", shape: { ...params.coordSys } },
        };
      },
    };
  }

  function chosenSeries(c, lines, moment) {
    const { peer } = c.selection;
    if (peer === null || !lines.has(peer)) return [];
    return [
      {
        name: c.store.peerId(peer),
        type: "line",
        z: 6,
        symbol: "circle",
        symbolSize: 6,
        data: lines.get(peer).map(([x, y, round]) => [x, y, peer, round, moment]),
        lineStyle: { color: c.palette.selected, width: 3 },
        itemStyle: { color: c.palette.selected },
      },
    ];
  }

  const SAT_OUT = "sat out";
  const hasPauses = ({ axis }) => ["round", "seconds"].includes(axis);

  /**
   * Peer -> points of the rounds that it sat out: its model, and so its accuracy, is that of its
   * last aggregation.
   */
  function pausesOf({ store, controls }, lines, moment) {
    const found = new Map();
    if (moment !== AGGREGATED || !hasPauses(controls)) return found;
    for (const { peer, round, end_s } of store.table("sat_out").rows()) {
      const last = (lines.get(peer) || []).filter((point) => point[2] < round).at(-1);
      if (!last) continue;
      if (!found.has(peer)) found.set(peer, []);
      found.get(peer).push([controls.axis === "round" ? round : end_s, last[1], round]);
    }
    return found;
  }

  /** The lines of peers, level through the rounds that they sat out. */
  const withPauses = (lines, pauses) =>
    new Map(
      [...lines].map(([peer, line]) => [
        peer,
        [...line, ...(pauses.get(peer) || [])].sort((a, b) => a[2] - b[2]),
      ]),
    );

  /** A pause for each round that a peer sat out, of the peers whose lines are drawn. */
  function pauseSeries({ selection, palette }, pauses, all) {
    const shown = [...pauses].filter(([peer]) => all || peer === selection.peer);
    if (!shown.length) return [];
    return [
      {
        name: SAT_OUT,
        type: "scatter",
        z: 7,
        symbol: PAUSE,
        symbolSize: [7, 9],
        data: shown.flatMap(([peer, points]) =>
          points.map(([x, y, round]) => [x, y, peer, round, null]),
        ),
        itemStyle: { color: palette.text, borderColor: palette.surface, borderWidth: 0.5 },
      },
    ];
  }

  /** Peer -> the points of its line in rounds in which it is of a data group. */
  const pointsIn = (store, lines, group) =>
    new Map(
      [...lines]
        .map(([peer, line]) => [
          peer,
          line.filter(([, , round]) => store.groupOf(peer, round) === group),
        ])
        .filter(([, line]) => line.length),
    );

  /**
   * The series of one moment: a band, thin lines and a mean for each data group, and the selected
   * peer. A peer whose data group changes counts to the group of each round. A second moment adds
   * its means only.
   */
  function momentSeries(c, lines, moment, isSecond) {
    const { show } = c.controls;
    const thin = show === "peers" || (show === "all" && lines.size <= MOST_LINES);
    const series = [];
    const pauses = pausesOf(c, lines, moment);
    const level = withPauses(lines, pauses);
    const known = [...lines].flatMap(([peer, line]) =>
      line.map(([, , round]) => c.store.groupOf(peer, round)),
    );
    for (const group of [...new Set(known)].sort((a, b) => a - b)) {
      const mine = pointsIn(c.store, lines, group);
      if (!mine.size) continue;
      const mark = c.palette.group(group);
      const rows = spread(mine.values());
      const name = groupName(group) + (isSecond ? `, ${MOMENT_NAMES[moment]}` : "");
      if (!isSecond && show !== "peers") series.push(bandSeries(name, mark, rows));
      const drawn = pointsIn(c.store, level, group);
      if (!isSecond && thin) series.push(peerSeries(name, mark, drawn, moment, lines.size > 40));
      if (show !== "peers") series.push(meanSeries(name, mark, rows, moment));
    }
    if (isSecond) return series;
    return [...series, ...chosenSeries(c, level, moment), ...pauseSeries(c, pauses, thin)];
  }

  function referenceSeries(c, axis) {
    if (!["round", "seconds"].includes(c.controls.axis)) return [];
    const all = c.store.table("reference").rows();
    const sources = [...new Set(all.map((row) => row.source))];
    return sources
      .flatMap((source) => {
        const mine = all.filter((row) => row.source === source);
        const ofRounds = mine.filter((row) => row.moment !== FINE_TUNED);
        // Training alone aggregates nothing, so its last moment is an earlier one.
        const last = Math.max(...ofRounds.map((row) => row.moment));
        return [last, FINE_TUNED].map((moment) => {
          const rows = mine.filter((row) => row.moment === moment);
          return referenceLine(c, source, moment, axis, rows);
        });
      })
      .filter((series) => series.data.length);
  }

  function referenceLine({ store, palette }, source, moment, axis, rows) {
    const tuned = moment === FINE_TUNED;
    const run =
      source === "control" ? "control run" : `baseline: ${store.facts.baseline ?? "not known"}`;
    return {
      name: run + (tuned ? `, ${MOMENT_NAMES[moment]}` : ""),
      type: "line",
      z: 5,
      symbol: tuned ? STAR : "none",
      symbolSize: 15,
      data: rows
        .filter((row) => row[axis.column] !== null)
        .map((row) => [row[axis.column], row.mean, null, row.round, moment]),
      lineStyle: { color: palette.text, width: 2, type: source === "baseline" ? [8, 4] : [3, 3] },
      itemStyle: { color: palette.text },
    };
  }

  /** Where each fault lies on the axis, from when it was applied until it healed. */
  function faultAreas({ store, selection, controls, palette }) {
    const byRound = controls.axis === "round";
    const { rounds, duration_s: end_s, now_s } = store.facts;
    const areas = [];
    for (const row of store.table("faults").rows()) {
      const begin = byRound ? row.round : row.applied_s;
      const [from, to] = byRound // a round is a point: its shade begins and ends beside it
        ? [row.round - 0.3, (row.first_round_after ?? rounds - 1) + 0.3]
        : [row.applied_s, row.healed_s ?? end_s ?? now_s];
      if (!prisam.text.known(begin) || !prisam.text.known(to)) continue;
      const chosen = selection.fault === row.occurrence;
      areas.push([
        {
          xAxis: from,
          name: prisam.text.short(row.kind ?? "", 18),
          itemStyle: {
            opacity: chosen ? 1 : 0.7,
            borderColor: palette.selected,
            borderWidth: chosen ? 2 : 0,
            borderType: "dashed",
          },
        },
        { xAxis: to },
      ]);
    }
    return areas;
  }

  /** Faults as shaded areas. */
  function faultSeries(c) {
    const areas = ["round", "seconds"].includes(c.controls.axis) ? faultAreas(c) : [];
    if (!areas.length) return [];
    const few = areas.length <= 4;
    return [
      {
        name: "faults",
        type: "line",
        data: [],
        z: 0,
        itemStyle: { color: c.palette.selected },
        markArea: {
          silent: true,
          itemStyle: { color: c.palette.shade },
          label: { show: few, color: c.palette.muted, fontSize: 10, position: "insideTop" },
          data: areas,
        },
      },
    ];
  }

  /** The line of the round that is selected, where the axis has rounds. */
  function roundSeries(c) {
    if (c.selection.round === null || c.controls.axis !== "round") return [];
    return [
      {
        name: "selected round",
        type: "line",
        data: [],
        markLine: {
          silent: true,
          symbol: "none",
          label: { show: false },
          lineStyle: { color: c.palette.selected, type: "dashed" },
          data: [{ xAxis: c.selection.round }],
        },
      },
    ];
  }

  prisam.accuracySeries = {
    MOST_LINES,
    SAT_OUT,
    momentSeries,
    referenceSeries,
    faultSeries,
    roundSeries,
  };
})();
