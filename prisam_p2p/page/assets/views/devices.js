/* View 10: what each device was asked to be, and what it was. */
"use strict";

(function () {
  const { linesOf, broken } = prisam.series;
  const { axisName, topName } = prisam.charts;
  const { number } = prisam.text;
  const BUDGETS = {
    speed: { asked: "asked_speed", achieved: "achieved_speed", unit: "share of a core", digits: 3 },
    memory: { asked: "memory_mib", achieved: "peak_mib", unit: "MiB", digits: 1 },
    up: { asked: "up_mbit_s", achieved: "up_peak", unit: "Mbit/s sent", digits: 2 },
    down: { asked: "down_mbit_s", achieved: "down_peak", unit: "Mbit/s received", digits: 2 },
  };
  const OVER_ROUNDS = {
    speed: { column: "speed", unit: "share of a core while training", scale: 1 },
    memory: { column: "memory_mib", unit: "MiB above the memory at the first round", scale: 1 },
    cpu: { column: "cpu_s", unit: "seconds of CPU so far", scale: 1 },
    sent: {
      column: "sent_bytes",
      unit: "MiB of masks and weights sent so far",
      scale: prisam.text.MIB,
    },
    received: {
      column: "received_bytes",
      unit: "MiB of masks and weights received so far",
      scale: prisam.text.MIB,
    },
  };

  const MANY = 12; // peers; more of them are labelled at a slant
  const SCROLLED = 24; // peers; more of them get a slider
  const of = (row, column) => row[column] ?? null;

  /** The rows of table `peers`, by data group. */
  function peerRows(store) {
    const byPeer = new Map(
      store
        .table("peers")
        .rows()
        .map((row) => [row.peer, row]),
    );
    return store.peersByGroup().map((peer) => byPeer.get(peer));
  }

  // Asked and achieved ----------------------------------------------------------------------

  function askedAndAchieved(c) {
    const budget = BUDGETS[c.controls.budget];
    const rows = peerRows(c.store);
    const table = budgetTable(rows, c.store.hasHosts);
    const asked = rows.filter((row) => of(row, budget.asked) !== null).length;
    const achieved = rows.filter((row) => of(row, budget.achieved) !== null).length;
    if (!asked && !achieved) {
      const empty = rows.length
        ? `No device of this run has a limit here, and nothing was measured (${budget.unit}).`
        : "This run has no peers.";
      return { option: null, empty, table, summary: empty };
    }
    const silent = rows.length - achieved;
    return {
      height: 320,
      notes: [
        asked ? "" : "No device profile of this run sets a limit here.",
        silent
          ? `${silent} of ${rows.length} peers did not say what they achieved: a peer says it as ` +
            "it ends."
          : "",
      ].filter(Boolean),
      table,
      summary:
        `Asked and achieved, ${budget.unit}, of ${rows.length} peers; ${asked} have a limit, ` +
        `${achieved} tell what they achieved.`,
      option: budgetOption(c, rows, budget),
    };
  }

  function budgetTable(rows, hasHosts) {
    const hasNewcomers = rows.some((row) => row.replaces);
    const columns = Object.values(BUDGETS).flatMap((each) => [each.asked, each.achieved]);
    return {
      columns: [
        "peer",
        "profile",
        "state",
        ...(hasHosts ? ["host"] : []),
        ...(hasNewcomers ? ["replaces"] : []),
        ...columns,
      ],
      rows: rows.map((row) => [
        row.id,
        row.profile,
        row.state,
        ...(hasHosts ? [row.host] : []),
        ...(hasNewcomers ? [row.replaces] : []),
        ...columns.map((column) => of(row, column)),
      ]),
    };
  }

  function budgetOption(c, rows, budget) {
    const slanted = rows.length > MANY;
    const scrolled = rows.length > SCROLLED;
    return {
      grid: { left: 60, right: 20, top: 34, bottom: scrolled ? 96 : slanted ? 66 : 34 },
      legend: { top: 0, data: ["achieved", "asked"] },
      tooltip: { formatter: ({ dataIndex }) => budgetTip(c.store, rows[dataIndex], budget) },
      xAxis: {
        type: "category",
        data: rows.map((row) => prisam.text.short(row.id, 12)),
        axisLabel: { rotate: slanted ? 60 : 0, hideOverlap: true },
      },
      yAxis: { type: "value", ...topName(budget.unit) },
      dataZoom: scrolled
        ? [{ type: "slider", bottom: 4, height: 18, brushSelect: false }]
        : undefined,
      series: [achievedBars(c, rows, budget), askedDashes(c, rows, budget)],
    };
  }

  function achievedBars({ selection, palette }, rows, budget) {
    const chosen = { borderColor: palette.selected, borderWidth: 3 };
    return {
      name: "achieved",
      type: "bar",
      barMaxWidth: 26,
      data: rows.map((row) => ({
        value: of(row, budget.achieved),
        peer: row.peer,
        itemStyle: row.peer === selection.peer ? chosen : {},
      })),
      itemStyle: { color: palette.accent },
    };
  }

  function askedDashes({ palette, width }, rows, budget) {
    return {
      name: "asked",
      type: "scatter",
      symbol: "rect",
      symbolSize: [Math.max(4, Math.min(30, (width - 80) / Math.max(1, rows.length))), 4],
      z: 5,
      data: rows.map((row) => ({ value: of(row, budget.asked), peer: row.peer })),
      itemStyle: { color: palette.text },
    };
  }

  function budgetTip(store, row, budget) {
    const figure = (column) =>
      of(row, column) === null ? "none" : number(row[column], budget.digits);
    return prisam.text.tooltip(store.peerId(row.peer), [
      ["profile", row.profile ?? ""],
      ["unit", budget.unit],
      ["asked", figure(budget.asked)],
      ["achieved", figure(budget.achieved)],
      ["state", row.state ?? ""],
      ...(store.hasHosts ? [["host", row.host]] : []),
      ...(row.replaces ? [["replaces", row.replaces]] : []),
    ]);
  }

  // Over the rounds -------------------------------------------------------------------------

  function overRounds(c) {
    const measure = OVER_ROUNDS[c.controls.measure];
    const table = () => resourceTable(c.store);
    const lines = measuredLines(c.store, measure);
    if (!lines.size) {
      const empty =
        `No record of this run tells ${measure.unit}: it ended before the first round, or an ` +
        "older version recorded it.";
      return { option: null, empty, table, summary: empty };
    }
    const profiles = profilesOf(c.store);
    const names = [...new Set(profiles.values())].sort();
    return {
      height: 320,
      table,
      summary:
        `${measure.unit} by round, a line for each of ${lines.size} peers, coloured by ` +
        `${names.length} device profiles.`,
      option: roundsOption(c, measure, lines, profiles, names),
    };
  }

  /** Return peer -> [[round, value, round]], in the unit of the measure. */
  function measuredLines(store, { column, scale }) {
    const all = linesOf(store.table("resources"), "round", column);
    const scaled = (line) => line.map(([x, y, round]) => [x, y / scale, round]);
    return new Map([...all].map(([peer, line]) => [peer, scaled(line)]));
  }

  function profilesOf(store) {
    const rows = store.table("peers").rows();
    return new Map(rows.map((row) => [row.peer, String(row.profile ?? "no profile")]));
  }

  function resourceTable(store) {
    const table = store.table("resources");
    const columns = Object.keys(table.columns).filter((name) => name !== "peer");
    return {
      columns: ["peer", ...columns],
      rows: table
        .rows()
        .map((row) => [store.peerId(row.peer), ...columns.map((each) => row[each])]),
    };
  }

  function roundsOption(c, measure, lines, profiles, names) {
    const series = names.map((name, place) => {
      const mine = new Map([...lines].filter(([peer]) => profiles.get(peer) === name));
      return profileSeries(name, c.palette.mark(place), mine, lines.size);
    });
    const { peer } = c.selection;
    if (lines.has(peer)) series.push(selectedSeries(c, peer, lines.get(peer)));
    const tip = ({ value, seriesName }) =>
      prisam.text.tooltip(c.store.peerId(value[2]), [
        ["profile", profiles.get(value[2]) ?? seriesName],
        ["round", value[3]],
        [measure.unit, number(value[1], 3)],
      ]);
    return {
      grid: { left: 60, right: 20, top: 34, bottom: 62 },
      legend: { type: "scroll", bottom: 0, data: series.map((each) => each.name) },
      tooltip: { formatter: tip },
      xAxis: {
        type: "value",
        ...axisName("round", 24),
        minInterval: 1,
        min: "dataMin",
        max: "dataMax",
      },
      yAxis: { type: "value", ...topName(measure.unit) },
      series,
    };
  }

  /** The lines of all peers with one device profile; `n` peers have lines in this figure. */
  function profileSeries(name, mark, lines, n) {
    return {
      name,
      type: "line",
      data: broken(lines),
      showSymbol: n <= 16,
      symbol: mark.symbol,
      symbolSize: 5,
      triggerLineEvent: true,
      lineStyle: { color: mark.color, type: mark.dash, width: 1.2, opacity: n > 40 ? 0.5 : 0.85 },
      itemStyle: { color: mark.color },
    };
  }

  function selectedSeries({ store, palette }, peer, line) {
    return {
      name: store.peerId(peer),
      type: "line",
      z: 6,
      data: broken(new Map([[peer, line]])),
      lineStyle: { color: palette.selected, width: 3 },
      itemStyle: { color: palette.selected },
    };
  }

  const ofPeer = (event) =>
    Array.isArray(event.value)
      ? { peer: event.value[2], round: event.value[3] }
      : event.data && { peer: event.data.peer };

  prisam.view({
    id: "devices",
    title: "Devices",
    order: 10,
    tables: ["peers", "resources"],
    how:
      "What each device's profile asked for, and what the process achieved. A dash is the limit, " +
      "a bar what was measured: speed should reach its dash, memory and rates should stay below " +
      "theirs. Rates are the highest of a second. Below, the same over the rounds, coloured and " +
      "dashed by device profile: a speed that falls says that the machine had too few cores for " +
      "the emulation.",
    figures: [
      {
        id: "budgets",
        title: "Asked and achieved",
        follows: ["peer"],
        build: askedAndAchieved,
        click: ofPeer,
        controls: [
          {
            id: "budget",
            label: "Budget",
            options: [
              ["speed", "speed"],
              ["memory", "memory"],
              ["up", "rate up"],
              ["down", "rate down"],
            ],
          },
        ],
      },
      {
        id: "rounds",
        title: "Over the rounds",
        follows: ["peer"],
        build: overRounds,
        click: ofPeer,
        controls: [
          {
            id: "measure",
            label: "Measure",
            options: [
              ["speed", "speed"],
              ["memory", "memory"],
              ["cpu", "CPU"],
              ["sent", "sent"],
              ["received", "received"],
            ],
          },
        ],
      },
    ],
  });
})();
