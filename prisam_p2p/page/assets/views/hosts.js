/* View 11, only of a run on several hosts: where its peers were, and what passed between hosts. */
"use strict";

(function () {
  const { number, seconds, bytes, axisBytes, tooltip } = prisam.text;
  const WAYS = {
    within_bytes: "within the host",
    sent_bytes: "to other hosts",
    received_bytes: "from other hosts",
  };
  const ROW_PX = 64; // three bars, and a gap
  const bound = (row) =>
    row.clock_bound_s == null ? "not known" : `${number(row.clock_bound_s * 1000, 2)} ms`;

  function build(c) {
    const rows = c.store.table("hosts").rows();
    const lost = rows.filter((row) => row.lost_s != null);
    const known = rows.some((row) => row.within_bytes != null);
    const notes = lost.map(
      (row) =>
        `Host ${row.host} was lost after ${seconds(row.lost_s, 1)}: ${row.reason}. Its ` +
        "connections are not judged in the closure.",
    );
    return {
      notes,
      table: tableOf(rows, c.store),
      summary:
        `${rows.length} hosts: ` +
        rows.map((row) => `${row.host} ${(row.peers || []).length} peers`).join(", ") +
        (lost.length ? `; lost: ${lost.map((row) => row.host).join(", ")}.` : "."),
      ...(known
        ? { option: optionOf(c, rows), height: 90 + ROW_PX * rows.length }
        : { option: null, empty: "The bytes within and between hosts are known at the end." }),
    };
  }

  function optionOf(c, rows) {
    const ways = Object.entries(WAYS);
    return {
      grid: { left: 8, right: 24, top: 34, bottom: 44, containLabel: true },
      legend: { top: 0, data: Object.values(WAYS) },
      tooltip: { formatter: ({ dataIndex }) => tip(rows[dataIndex], c.store) },
      xAxis: {
        type: "value",
        ...prisam.charts.axisName("bytes on the wire"),
        axisLabel: { formatter: axisBytes, hideOverlap: true },
      },
      yAxis: { type: "category", inverse: true, data: rows.map((row) => label(row)) },
      series: ways.map(([column, name], place) => ({
        name,
        type: "bar",
        barMaxWidth: 16,
        itemStyle: { color: c.palette.mark(place).color },
        data: rows.map((row) => row[column]),
      })),
    };
  }

  const label = (row) => (row.lost_s == null ? row.host : `${row.host} ✗`);

  function tip(row, store) {
    return tooltip(row.host, [
      ["node", row.node || "not known"],
      ["address", row.address || "not known"],
      ["peers", peersOf(row, store)],
      ["clock right within", bound(row)],
      ...Object.entries(WAYS).map(([column, name]) => [name, bytes(row[column])]),
      ["lost", row.lost_s == null ? "no" : `after ${seconds(row.lost_s, 1)}: ${row.reason}`],
    ]);
  }

  const peersOf = (row, store) => (row.peers || []).map((peer) => store.peerId(peer)).join(", ");

  function tableOf(rows, store) {
    return {
      columns: [
        "host",
        "node",
        "address",
        "peers",
        "cores",
        "memory, MiB",
        "clock right within, s",
        "lost after, s",
        "why",
        ...Object.values(WAYS).map((name) => `${name}, B`),
      ],
      rows: rows.map((row) => [
        row.host,
        row.node,
        row.address,
        peersOf(row, store),
        row.cores,
        row.memory_mib,
        row.clock_bound_s,
        row.lost_s,
        row.reason,
        ...Object.keys(WAYS).map((column) => row[column]),
      ]),
    };
  }

  prisam.view({
    id: "hosts",
    title: "Hosts",
    order: 11,
    tables: ["hosts", "peers"],
    when: (store) => store.table("hosts").n > 0,
    how:
      "The hosts that the peers ran on: bytes on the wire between peers of the same host, and to " +
      "and from peers of other hosts. The table has each host's address, peers, and the bound " +
      "within which its clock is known: the order of two events on different hosts is certain " +
      "where they are further apart. ✗ marks a host that was lost.",
    figures: [{ id: "bytes", title: "Within and between hosts", follows: [], build }],
  });
})();
