/* View 10: what each device was asked to be, and what it was. */
"use strict";

(function () {
  const { linesOf, broken } = prisam.series;
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

  function askedAndAchieved(c) {
    const budget = BUDGETS[c.controls.budget];
    const byPeer = new Map(
      c.store
        .table("peers")
        .rows()
        .map((row) => [row.peer, row]),
    );
    const rows = c.store.peersByGroup().map((peer) => byPeer.get(peer));
    const of = (row, column) => row[column] ?? null;
    const table = {
      columns: [
        "peer",
        "profile",
        "state",
        ...Object.values(BUDGETS).flatMap((each) => [each.asked, each.achieved]),
      ],
      rows: rows.map((row) => [
        row.id,
        row.profile,
        row.state,
        ...Object.values(BUDGETS).flatMap((each) => [of(row, each.asked), of(row, each.achieved)]),
      ]),
    };
    const asked = rows.filter((row) => of(row, budget.asked) !== null).length;
    const achieved = rows.filter((row) => of(row, budget.achieved) !== null).length;
    if (!asked && !achieved) {
      const empty = rows.length
        ? `No device of this run has a limit here, and nothing was measured (${budget.unit}).`
        : "This run has no peers.";
      return { option: null, empty, table, summary: empty };
    }
    const notes = [];
    if (!asked) notes.push("No device profile of this run sets a limit here.");
    if (achieved < rows.length)
      notes.push(
        `${rows.length - achieved} of ${rows.length} peers did not say what they achieved: a ` +
          "peer says it as it ends.",
      );
    const chosen = (row) => row.peer === c.selection.peer;
    const tip = ({ dataIndex }) => {
      const row = rows[dataIndex];
      const figure = (column) =>
        of(row, column) === null ? "none" : number(row[column], budget.digits);
      return prisam.text.tooltip(c.store.peerId(row.peer), [
        ["profile", row.profile ?? ""],
        ["unit", budget.unit],
        ["asked", figure(budget.asked)],
        ["achieved", figure(budget.achieved)],
        ["state", row.state ?? ""],
      ]);
    };
    const series = [
      {
        name: "achieved",
        type: "bar",
        barMaxWidth: 26,
        data: rows.map((row) => ({
          value: of(row, budget.achieved),
          peer: row.peer,
          itemStyle: chosen(row) ? { borderColor: c.palette.selected, borderWidth: 3 } : {},
        })),
        itemStyle: { color: c.palette.accent },
      },
      {
        name: "asked",
        type: "scatter",
        symbol: "rect",
        symbolSize: [Math.max(4, Math.min(30, (c.width - 80) / Math.max(1, rows.length))), 4],
        z: 5,
        data: rows.map((row) => ({ value: of(row, budget.asked), peer: row.peer })),
        itemStyle: { color: c.palette.text },
      },
    ];
    return {
      height: 320,
      notes,
      table,
      decal: false,
      summary:
        `Asked and achieved, ${budget.unit}, of ${rows.length} peers; ${asked} have a limit, ` +
        `${achieved} tell what they achieved.`,
      option: {
        grid: {
          left: 60,
          right: 20,
          top: 34,
          bottom: rows.length > 24 ? 96 : rows.length > 12 ? 66 : 34,
        },
        legend: { top: 0, data: ["achieved", "asked"] },
        tooltip: { formatter: tip },
        xAxis: {
          type: "category",
          data: rows.map((row) => prisam.text.short(row.id, 12)),
          axisLabel: { rotate: rows.length > 12 ? 60 : 0, hideOverlap: true },
        },
        yAxis: { type: "value", name: budget.unit, nameTextStyle: { align: "left" } },
        dataZoom:
          rows.length > 24
            ? [{ type: "slider", bottom: 4, height: 18, brushSelect: false }]
            : undefined,
        series,
      },
    };
  }

  function overRounds(c) {
    const measure = OVER_ROUNDS[c.controls.measure];
    const table = c.store.table("resources");
    const profiles = new Map(
      c.store
        .table("peers")
        .rows()
        .map((row) => [row.peer, String(row.profile ?? "no profile")]),
    );
    const names = [...new Set(profiles.values())].sort();
    const all = linesOf(table, "round", measure.column);
    const asTable = () => {
      const columns = Object.keys(table.columns).filter((name) => name !== "peer");
      return {
        columns: ["peer", ...columns],
        rows: table
          .rows()
          .map((row) => [c.store.peerId(row.peer), ...columns.map((name) => row[name])]),
      };
    };
    if (!all.size) {
      const empty =
        `No record of this run tells ${measure.unit}: it ended before the first round, or an ` +
        "older version recorded it.";
      return { option: null, empty, table: asTable, summary: empty };
    }
    const scaled = new Map(
      [...all].map(([peer, line]) => [
        peer,
        line.map(([x, y, round]) => [x, y / measure.scale, round]),
      ]),
    );
    const series = names.map((name, place) => {
      const mark = c.palette.mark(place);
      const mine = new Map([...scaled].filter(([peer]) => profiles.get(peer) === name));
      return {
        name,
        type: "line",
        data: broken(mine),
        showSymbol: scaled.size <= 16,
        symbol: mark.symbol,
        symbolSize: 5,
        triggerLineEvent: true,
        lineStyle: {
          color: mark.color,
          type: mark.dash,
          width: 1.2,
          opacity: scaled.size > 40 ? 0.5 : 0.85,
        },
        itemStyle: { color: mark.color },
      };
    });
    const { peer } = c.selection;
    if (scaled.has(peer)) {
      series.push({
        name: c.store.peerId(peer),
        type: "line",
        z: 6,
        data: broken(new Map([[peer, scaled.get(peer)]])),
        lineStyle: { color: c.palette.selected, width: 3 },
        itemStyle: { color: c.palette.selected },
      });
    }
    const tip = ({ value, seriesName }) =>
      prisam.text.tooltip(c.store.peerId(value[2]), [
        ["profile", profiles.get(value[2]) ?? seriesName],
        ["round", value[3]],
        [measure.unit, number(value[1], 3)],
      ]);
    return {
      height: 320,
      table: asTable,
      summary:
        `${measure.unit} by round, a line for each of ${scaled.size} peers, coloured by ` +
        `${names.length} device profiles.`,
      option: {
        grid: { left: 60, right: 20, top: 34, bottom: 62 },
        legend: { type: "scroll", bottom: 0, data: series.map((each) => each.name) },
        tooltip: { formatter: tip },
        xAxis: {
          type: "value",
          name: "round",
          nameLocation: "middle",
          nameGap: 24,
          minInterval: 1,
          min: "dataMin",
          max: "dataMax",
        },
        yAxis: { type: "value", name: measure.unit, nameTextStyle: { align: "left" } },
        series,
      },
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
