/* View 3: accuracy over rounds, seconds, device time or bytes. */
"use strict";

(function () {
  const { groupName } = prisam.charts;
  const { TRAINED, AVERAGED, AGGREGATED } = prisam.charts.MOMENTS;
  const MOMENTS = { [TRAINED]: "trained", [AVERAGED]: "averaged", [AGGREGATED]: "aggregated" };
  const { linesOf, spread, broken } = prisam.series;
  const AXES = {
    round: { column: "round", name: "round" },
    seconds: { column: "t_s", name: "seconds of the run" },
    device: { column: "device_s", name: "seconds that the emulated device trained" },
    wire: { column: "wire_mib", name: "MiB that the peer sent and received" },
  };

  const MOST_LINES = 60; // more peers are a smear, unless they are asked for

  /** All peers of a group as one series. */
  function peerSeries(name, mark, lines, moment, many) {
    return {
      name,
      type: "line",
      data: broken(lines, moment),
      showSymbol: false,
      symbol: mark.symbol,
      symbolSize: 5,
      z: 2,
      lineStyle: { color: mark.color, width: 1, opacity: many ? 0.25 : 0.45 },
      itemStyle: { color: mark.color },
      triggerLineEvent: true,
    };
  }

  const ofMoment = (table, moment) => (i) => table.columns.moment[i] === moment;

  function meanSeries(name, mark, rows, moment) {
    const trained = moment !== AGGREGATED;
    return {
      name,
      type: "line",
      z: 4,
      symbol: mark.symbol,
      symbolSize: rows.length > 40 ? 0 : 6,
      data: rows.map((row) => [row.x, row.y, null, row.round, moment, row]),
      lineStyle: {
        color: mark.color,
        width: trained ? 1.5 : 2.5,
        type: trained ? "dotted" : "solid",
      },
      itemStyle: { color: mark.color },
    };
  }

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

  function referenceSeries(c, axis) {
    if (!["round", "seconds"].includes(c.controls.axis)) return [];
    const all = c.store.table("reference").rows();
    const sources = [...new Set(all.map((row) => row.source))];
    return sources
      .map((source) => {
        const mine = all.filter((row) => row.source === source);
        // Training alone aggregates nothing, so its last moment is an earlier one.
        const last = Math.max(...mine.map((row) => row.moment));
        const rows = mine.filter((row) => row.moment === last);
        const dash = source === "baseline" ? [8, 4] : [3, 3];
        return {
          name:
            source === "control"
              ? "control run"
              : `baseline: ${c.store.facts.baseline ?? "not known"}`,
          type: "line",
          z: 5,
          symbol: "none",
          data: rows
            .filter((row) => row[axis.column] !== null)
            .map((row) => [row[axis.column], row.mean, null, row.round, last]),
          lineStyle: { color: c.palette.text, width: 2, type: dash },
          itemStyle: { color: c.palette.text },
        };
      })
      .filter((series) => series.data.length);
  }

  /** Faults as shaded areas, from when they were applied until they healed. */
  function shades(c) {
    const { axis } = c.controls;
    if (!["round", "seconds"].includes(axis)) return null;
    const areas = [];
    const { rounds, duration_s: end_s, now_s } = c.store.facts;
    for (const row of c.store.table("faults").rows()) {
      const [from, to] =
        axis === "round" // a round is a point: its shade begins and ends beside it
          ? [row.round - 0.3, (row.first_round_after ?? rounds - 1) + 0.3]
          : [row.applied_s, row.healed_s ?? end_s ?? now_s];
      const unknown = axis === "round" ? row.round : row.applied_s;
      if (!prisam.text.known(unknown) || !prisam.text.known(to)) continue;
      const chosen = c.selection.fault === row.occurrence;
      areas.push([
        {
          xAxis: from,
          name: prisam.text.short(row.kind ?? "", 18),
          itemStyle: {
            opacity: chosen ? 1 : 0.7,
            borderColor: c.palette.selected,
            borderWidth: chosen ? 2 : 0,
            borderType: "dashed",
          },
        },
        { xAxis: to },
      ]);
    }
    if (!areas.length) return null;
    const few = areas.length <= 4;
    return {
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
    };
  }

  /** In the legend faults look as they do in the figure: an area, and no line. */
  const shadeLegend = ({ palette }) => ({
    name: "faults",
    icon: "rect",
    itemStyle: { color: palette.shade, borderColor: palette.selected, borderWidth: 1 },
  });

  const LEGEND_ROW_PX = 24;
  const MOST_LEGEND_ROWS = 4; // more are scrolled

  /**
   * The legend below the figure, and how high it is: paper cannot be scrolled, so all names are
   * shown where they fit.
   */
  function legendOf(c, names) {
    let [rows, x] = [1, 0];
    for (const name of names) {
      const width = 50 + name.length * 7;
      if (x + width > c.width) [rows, x] = [rows + 1, 0];
      x += width;
    }
    const fits = rows <= MOST_LEGEND_ROWS;
    const data = names.map((name) => (name === "faults" ? shadeLegend(c) : name));
    return {
      height: (fits ? rows : 1) * LEGEND_ROW_PX,
      option: { type: fits ? "plain" : "scroll", bottom: 0, data },
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

  function tooltip(c, axis) {
    return (params) => {
      const [x, y, peer, round, moment, row] = params.value;
      const rows = [
        ["accuracy", prisam.text.share(y, 2)],
        ["moment", MOMENTS[moment] ?? ""],
        ["round", round ?? ""],
      ];
      if (axis.column !== "round") rows.push([axis.name, prisam.text.number(x, 2)]);
      if (row && row.n)
        rows.push(
          ["peers", row.n],
          ["lowest", prisam.text.share(row.low, 2)],
          ["highest", prisam.text.share(row.high, 2)],
        );
      return prisam.text.tooltip(
        peer === null || peer === undefined ? params.seriesName : c.store.peerId(peer),
        rows,
      );
    };
  }

  function build(c) {
    const table = c.store.table("accuracy");
    const axis = AXES[c.controls.axis];
    const { score, show } = c.controls;
    const moments =
      c.controls.moment === "both" ? [AGGREGATED, TRAINED] : [Number(c.controls.moment)];
    const series = [];
    const notes = [];
    const groups = [...new Set(c.store.peersByGroup().map((peer) => c.store.groupOf(peer)))];
    moments.forEach((moment, place) => {
      const lines = linesOf(table, axis.column, score, ofMoment(table, moment));
      for (const group of groups) {
        const mine = new Map([...lines].filter(([peer]) => c.store.groupOf(peer) === group));
        if (!mine.size) continue;
        const mark = c.palette.group(group);
        const rows = spread(mine.values());
        const name = place ? `${groupName(group)}, ${MOMENTS[moment]}` : groupName(group);
        if (!place && show !== "peers") series.push(bandSeries(name, mark, rows));
        const thin = show === "peers" || (show === "all" && lines.size <= MOST_LINES);
        if (!place && thin) series.push(peerSeries(name, mark, mine, moment, lines.size > 40));
        if (show !== "peers") series.push(meanSeries(name, mark, rows, moment));
      }
      if (!place) series.push(...chosenSeries(c, lines, moment));
    });
    const asTable = () => {
      const names = ["round", "moment", "validation", "test", "t_s", "device_s", "wire_mib"].filter(
        (name) => table.has(name),
      );
      return {
        columns: ["peer", ...names],
        rows: table
          .rows()
          .map((row) => [
            c.store.peerId(row.peer),
            ...names.map((name) => (name === "moment" ? MOMENTS[row.moment] : row[name])),
          ]),
      };
    };
    if (!series.length) {
      const why = table.n
        ? `No record of this run tells ${axis.name} of "${MOMENTS[moments[0]]}" (${score}).`
        : "This run recorded no accuracy: it ended before the first evaluation.";
      return { option: null, empty: why, table: asTable, summary: why };
    }
    series.push(...referenceSeries(c, axis));
    if (show === "all" && c.store.peersByGroup().length > MOST_LINES)
      notes.push(
        `Of ${c.store.peersByGroup().length} peers, means and bands are drawn, and the selected ` +
          'peer; "Show: peers" draws each.',
      );
    if (["device", "wire"].includes(c.controls.axis))
      notes.push("Baseline, control run and faults are drawn over rounds and seconds only.");
    const shade = shades(c);
    if (shade) series.push(shade);
    if (c.selection.round !== null && c.controls.axis === "round") {
      series.push({
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
      });
    }
    // While a run goes on, peers may have trained and not yet aggregated.
    const lastOf = (moment) =>
      spread(linesOf(table, axis.column, score, ofMoment(table, moment)).values()).at(-1);
    const told = moments.find(lastOf);
    const last = lastOf(told);
    const summary =
      `Accuracy (${score}) over ${axis.name}, ${MOMENTS[told]}. In round ${last.round}: mean ` +
      `${prisam.text.share(last.y)}, lowest ${prisam.text.share(last.low)}, highest ` +
      `${prisam.text.share(last.high)} of ${last.n} peers.`;
    const legend = legendOf(c, [...new Set(series.map((each) => each.name))]);
    return {
      height: (c.width < 600 ? 316 : 406) + legend.height,
      notes,
      table: asTable,
      summary,
      option: {
        grid: { left: 56, right: 24, top: 32, bottom: 84 + legend.height },
        legend: legend.option,
        tooltip: { formatter: tooltip(c, axis) },
        xAxis: {
          type: "value",
          ...prisam.charts.axisName(axis.name),
          min: "dataMin",
          max: "dataMax",
          minInterval: c.controls.axis === "round" ? 1 : 0,
          axisLabel: { formatter: (value) => String(Number(value.toFixed(2))) },
        },
        yAxis: {
          type: "value",
          ...prisam.charts.topName("accuracy"),
          scale: true,
          axisLabel: { formatter: prisam.charts.percent },
        },
        dataZoom: [
          { type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" },
          {
            type: "slider",
            filterMode: "none",
            bottom: 8 + legend.height,
            height: 22,
            showDataShadow: false,
            brushSelect: false,
          },
        ],
        series,
      },
    };
  }

  /** Shares right of each class by round: of the selected peer, or of all peers together. */
  function byClass(c) {
    const table = c.store.table("per_class");
    const { peer, round, moment, right, of } = table.columns;
    const chosen = c.selection.peer;
    const wanted = Number(c.controls.moment);
    const sums = new Map(); // round -> [[right, of] of each class]
    for (const i of table.order()) {
      if (moment[i] !== wanted || (chosen !== null && peer[i] !== chosen)) continue;
      if (!sums.has(round[i]))
        sums.set(
          round[i],
          of[i].map(() => [0, 0]),
        );
      of[i].forEach((n, k) => {
        sums.get(round[i])[k][0] += right[i][k];
        sums.get(round[i])[k][1] += n;
      });
    }
    const rounds = [...sums.keys()].sort((a, b) => a - b);
    const names = c.store.facts.classes || [];
    const label = (k) => String(names[k] ?? k);
    const asTable = () => ({
      columns: ["round", "class", "right", "of"],
      rows: rounds.flatMap((at) => sums.get(at).map(([n, all], k) => [at, label(k), n, all])),
    });
    const who = chosen === null ? "all peers" : c.store.peerId(chosen);
    if (!rounds.length) {
      const empty = table.n
        ? `No accuracy by class of ${who} at this moment.`
        : "This run has no accuracies by class: it ended before the first evaluation, or an " +
          "older version recorded it.";
      return { option: null, empty, table: asTable, summary: empty };
    }
    const n = sums.get(rounds[0]).length;
    const cells = rounds.flatMap((at, x) =>
      sums
        .get(at)
        .map(([good, all], k) => [x, k, all ? good / all : null, good, all])
        .filter((cell) => cell[2] !== null),
    );
    const held =
      chosen === null
        ? null
        : c.store
            .table("peers")
            .rows()
            .find((row) => row.peer === chosen)?.classes;
    const axisLabel = (k) =>
      held
        ? `${prisam.text.short(label(k), 10)} (${held[k] ?? 0})`
        : prisam.text.short(label(k), 14);
    const tip = ({ value }) =>
      prisam.text.tooltip(`class ${label(value[1])}`, [
        ["round", rounds[value[0]]],
        ["right", `${value[3]} of ${value[4]}`],
        ["share", prisam.text.share(value[2])],
      ]);
    const few = rounds.length * 34 < c.width - 120;
    const notes =
      chosen === null
        ? ["Select a peer to see its classes alone, with its number of training images of each."]
        : [`In brackets: training images of ${who}.`];
    return {
      height: 90 + Math.max(160, n * 22),
      table: asTable,
      notes,
      summary: `Share right of each of ${n} classes by round, ${who}, ${MOMENTS[wanted]}.`,
      option: {
        grid: { left: 96, right: 76, top: 10, bottom: 46 },
        tooltip: { formatter: tip },
        xAxis: {
          type: "category",
          ...prisam.charts.axisName("round"),
          data: rounds,
        },
        yAxis: {
          type: "category",
          inverse: true,
          data: Array.from({ length: n }, (_, k) => axisLabel(k)),
        },
        visualMap: {
          min: 0,
          max: 1,
          dimension: 2,
          right: 0,
          top: "middle",
          itemHeight: 120,
          calculable: false,
          text: ["100 %", "0 %"],
          inRange: { color: c.palette.scale("sequential") },
        },
        series: [
          {
            type: "heatmap",
            data: cells,
            label: {
              show: few,
              fontSize: 10,
              formatter: ({ value }) => String(Math.round(value[2] * 100)),
            },
            itemStyle: { borderWidth: 1, borderColor: c.palette.surface },
          },
        ],
      },
    };
  }

  prisam.view({
    id: "accuracy",
    title: "Accuracy",
    order: 3,
    tables: ["accuracy", "reference", "faults", "peers", "per_class"],
    how:
      "A thin line is a peer, a thick line the mean of a data group, and the band reaches from " +
      "the group's lowest to its highest peer. Solid is the model after aggregation, dotted " +
      "after training alone: where the solid line lies below, averaging cost the group accuracy. " +
      "Long dashes are the baseline, short dashes the control run without faults. Shaded is the " +
      "time of a fault. Hold Ctrl and turn the wheel, or drag the slider, to zoom. By class: the " +
      "share of test images that were right, by round and class; a class that stays pale is one " +
      "that these peers never learn.",
    figures: [
      {
        id: "accuracy",
        title: "Accuracy",
        controls: [
          {
            id: "axis",
            label: "Over",
            options: [
              ["round", "rounds"],
              ["seconds", "seconds"],
              ["device", "device time"],
              ["wire", "wire MiB"],
            ],
          },
          {
            id: "moment",
            label: "Moment",
            options: [
              ["both", "aggregated and trained"],
              ["2", "aggregated"],
              ["0", "trained"],
              ["1", "averaged, before recalibration"],
            ],
          },
          {
            id: "score",
            label: "On",
            options: [
              ["test", "test data"],
              ["validation", "validation data"],
            ],
          },
          {
            id: "show",
            label: "Show",
            options: [
              ["all", "peers, means, bands"],
              ["means", "means and bands"],
              ["peers", "peers"],
            ],
          },
        ],
        build,
        click(event) {
          const [, , peer, round] = event.value || [];
          if (peer === null || peer === undefined)
            return Number.isInteger(round) ? { round } : null;
          return Number.isInteger(round) ? { peer, round } : { peer };
        },
      },
      {
        id: "classes",
        title: "By class",
        controls: [
          {
            id: "moment",
            label: "Moment",
            options: [
              ["2", "aggregated"],
              ["1", "averaged, before recalibration"],
              ["0", "trained"],
            ],
          },
        ],
        follows: ["peer"],
        build: byClass,
        click: (event) => ({ round: Number(event.name) }),
      },
    ],
  });
})();
