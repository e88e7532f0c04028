/* Only of a run of ifca or facade: which of the k models (or heads) each peer trained. */
"use strict";

(function () {
  const { charts, matrix, shapes, text } = prisam;
  const ROOMY = 40; // up to so many peers, rows are high
  const TEXT_PX = 12; // lower or narrower cells have no number
  const DECAL_PX = 7;
  const seen = { cells: null, figure: null }; // what is drawn, for the mouse

  /** What to draw: {peers, rounds, shown: round, at(peer, round), models: numbers, ascending}. */
  function modelOf({ store, selection, controls }) {
    const { peer, round, choice } = store.table("choices").columns;
    const of = new Map();
    (peer || []).forEach((each, i) => of.set(`${each} ${round[i]}`, choice[i]));
    const rounds = (round || []).reduce((most, each) => Math.max(most, each + 1), 0);
    const at = (who, when) => of.get(`${who} ${when}`) ?? null;
    const shown = Math.min(selection.round ?? rounds - 1, rounds - 1);
    const peers = [...store.peersByGroup(shown)];
    if (controls.order === "model") {
      const rank = (who) => at(who, shown) ?? Infinity;
      peers.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
    }
    return { peers, rounds, shown, at, models: [...new Set(choice)].sort((a, b) => a - b) };
  }

  const nothing = (store) =>
    store.facts.status === "running" ? "No peer has chosen a model yet." : "No choice is recorded.";

  function build(c) {
    const { store, palette, selection } = c;
    if (!store.table("choices").n) return { option: null, empty: nothing(store) };
    const model = modelOf(c);
    const { peers, rounds, models, shown } = model;
    const pauses = matrix.pausesOf(store, peers, rounds);
    seen.figure = model;
    const series = [
      ...models.map((number) => choiceSeries(model, number, palette)),
      ...(pauses.length ? [matrix.pauseSeries(rounds, peers.length, pauses, palette)] : []),
      matrix.frameSeries(rounds, peers.length, frames(c, model)),
    ];
    const names = series.map((each) => each.name).filter((name) => name !== "frames");
    const icon = (name) => (name === "sat out" ? charts.PAUSE : "rect");
    return {
      option: {
        tooltip: null,
        legend: { top: 0, left: 0, data: names.map((name) => ({ name, icon: icon(name) })) },
        grid: { top: 40, bottom: 46, left: 8, right: 16, containLabel: true },
        xAxis: {
          type: "category",
          data: Array.from({ length: rounds }, (_, round) => String(round)),
          ...charts.axisName("round"),
          axisTick: { show: false },
        },
        yAxis: {
          type: "category",
          inverse: true,
          data: peers.map((peer) => charts.peerName(store, peer, 9, shown)),
          axisTick: { show: false },
        },
        series,
      },
      height: Math.max(180, 92 + peers.length * (peers.length <= ROOMY ? 22 : 7)),
      table: () => tableOf(store, model, pauses),
      summary: summaryOf(store, model),
      notes:
        selection.round === null
          ? []
          : [`Rows are ordered as in round ${shown}; Escape goes back to the last round.`],
    };
  }

  /** The cells in which peers trained one model, in its colour and pattern, with its number. */
  function choiceSeries({ peers, rounds, at }, number, palette) {
    const { color, decal } = palette.group(number);
    const which = peers.flatMap((peer, row) =>
      Array.from({ length: rounds }, (_, round) => [round, row]).filter(
        ([round]) => at(peer, round) === number,
      ),
    );
    return shapes.series(
      `model ${number}`,
      (api, area) => {
        const cells = matrix.cellsOf(api, area, rounds, peers.length);
        seen.cells = cells;
        const side = Math.min(cells.width, cells.height);
        const gap = side > 5 ? 1 : 0;
        const list = which.flatMap(([column, row]) => [
          ...[cells.x(column), cells.y(row), cells.width - gap, cells.height - gap],
        ]);
        const style = { fill: color, decal: side >= DECAL_PX ? decal : null };
        const words = side < TEXT_PX ? [] : which.map((cell) => word(cells, cell, number, palette));
        return [shapes.rects(list, style), ...words];
      },
      { z: 1, itemStyle: { color, decal } },
    );
  }

  const word = (cells, [column, row], number, palette) =>
    shapes.text(String(number), cells.x(column + 0.5), cells.y(row + 0.5), {
      fill: palette.text,
      stroke: palette.surface,
      lineWidth: 3,
      fontSize: 11,
      align: "center",
      verticalAlign: "middle",
    });

  /** Lines between data groups, where rows are in their order, and what is selected. */
  function frames({ store, selection, palette, controls }, { peers, rounds, shown }) {
    const row = peers.indexOf(selection.peer);
    const { round } = selection;
    const chosen = { fill: null, stroke: palette.selected, lineWidth: 2 };
    const between = controls.order === "model" ? [] : charts.groupBegins(store, peers, "", shown);
    return [
      {
        cells: between.map((place) => [0, place]),
        span: [rounds, 0],
        inset: 0,
        style: { fill: null, stroke: palette.text, lineWidth: 1 },
      },
      { cells: row < 0 ? [] : [[0, row]], span: [rounds, 1], style: chosen },
      {
        cells: round === null || round >= rounds ? [] : [[round, 0]],
        span: [1, peers.length],
        style: chosen,
      },
    ];
  }

  function tableOf(store, { peers, rounds, at }, pauses) {
    const paused = new Set(pauses.map(([round, row]) => `${peers[row]} ${round}`));
    return {
      columns: ["peer", "data_group", "round", "model", "sat_out"],
      rows: peers.flatMap((peer) =>
        Array.from({ length: rounds }, (_, round) => [
          store.peerId(peer),
          store.groupOf(peer, round),
          round,
          at(peer, round),
          paused.has(`${peer} ${round}`) ? "yes" : "no",
        ]),
      ),
    };
  }

  /** Who trained what in the round that is shown. */
  function summaryOf(store, { peers, models, at, shown }) {
    const counted = models.map((number) => {
      const who = peers.filter((peer) => at(peer, shown) === number);
      const groups = new Set(who.map((peer) => store.groupOf(peer, shown)));
      return `model ${number}: ${who.length} peers of ${groups.size} data groups`;
    });
    const told = counted.join("; ");
    return `Which model each of ${peers.length} peers trained. Round ${shown}: ${told}.`;
  }

  function cellAt({ x, y }) {
    const cell = seen.cells && seen.cells.at(x, y);
    return cell && { peer: seen.figure.peers[cell.row], round: cell.column };
  }

  function hover(place, { store }) {
    const cell = cellAt(place);
    if (!cell) return null;
    const { peer, round } = cell;
    const choice = seen.figure.at(peer, round);
    const paused = store.table("sat_out").rowsOf(peer, round).length;
    const group = store.groupOf(peer, round);
    return text.tooltip(`${store.peerId(peer)}, round ${round}`, [
      paused
        ? ["took part", "no: it sat this round out"]
        : ["model that it trained", choice ?? "not recorded: it was down, or lost"],
      ["data group", group < 0 ? "none" : `g${group}`],
    ]);
  }

  prisam.view({
    id: "choices",
    title: "Models chosen",
    short: "Models",
    order: 5.5,
    tables: ["peers", "data_groups", "choices", "sat_out"],
    when: (store) => store.facts.models > 0,
    how:
      "A row is a peer, by data group (g0, g1, ..), and a column is a round. Colour, pattern and " +
      "number say which of the k models (ifca) or heads (facade) the peer trained. Look for " +
      "blocks of one number between two lines: peers with similar data train one model. A number " +
      "on both sides of a line is a model that two data groups share. A pause (two upright bars) " +
      "is a round that the peer sat out; an empty cell one in which it was down or lost.",
    figures: [
      {
        id: "choices",
        title: "Which of the k models each peer trained",
        anywhere: true,
        follows: ["peer", "round"],
        build,
        hover,
        click: cellAt,
        controls: [
          {
            id: "order",
            label: "Peers",
            options: [
              ["group", "by data group"],
              ["model", "by model"],
            ],
          },
        ],
      },
    ],
  });

  prisam.testing = prisam.testing || {};
  /** Where the cell of a row and a column is drawn, for tests in a browser. */
  prisam.testing.choices = () => ({
    peers: seen.figure.peers,
    centre: (row, column) => [seen.cells.x(column + 0.5), seen.cells.y(row + 0.5)],
  });
})();
