/* View 3: accuracy over rounds, seconds, device time or bytes. */
"use strict";

(function () {
  const TRAINED = 0;
  const AVERAGED = 1;
  const AGGREGATED = 2;
  const MOMENTS = { [TRAINED]: "trained", [AVERAGED]: "averaged", [AGGREGATED]: "aggregated" };
  const AXES = {
    round: { column: "round", name: "round" },
    seconds: { column: "t_s", name: "seconds of the run" },
    device: { column: "device_s", name: "seconds that the emulated device trained" },
    wire: { column: "wire_mib", name: "MiB that the peer sent and received" },
  };

  const mean = (values) => (values.length ? values.reduce((sum, each) => sum + each, 0) / values.length : null);

  /** Rows of one moment, by peer in the order of rounds: Map of peer -> [[x, accuracy, round]]. */
  function linesOf(table, moment, column, score) {
    const { peer, round, moment: moments, [column]: xs, [score]: ys } = table.columns;
    const lines = new Map();
    if (!xs || !ys) return lines;
    for (const i of table.order()) {
      if (moments[i] !== moment || xs[i] === null || ys[i] === null) continue;
      if (!lines.has(peer[i])) lines.set(peer[i], []);
      lines.get(peer[i]).push([xs[i], ys[i], round[i]]);
    }
    return lines;
  }

  /** By round: the means of x and y over peers, and the lowest and highest y. */
  function spread(lines) {
    const rounds = new Map();
    for (const line of lines) {
      for (const [x, y, round] of line) {
        if (!rounds.has(round)) rounds.set(round, { xs: [], ys: [] });
        rounds.get(round).xs.push(x);
        rounds.get(round).ys.push(y);
      }
    }
    return [...rounds].sort((a, b) => a[0] - b[0]).map(([round, { xs, ys }]) => ({
      round, x: mean(xs), y: mean(ys), low: ys.reduce((a, b) => Math.min(a, b)), high: ys.reduce((a, b) => Math.max(a, b)), n: ys.length,
    }));
  }

  const groupName = (group) => (group < 0 ? "no data group" : `data group ${group}`);

  /** All peers of a group as one series: a point without a value ends a peer's line. */
  function peerSeries(name, mark, lines, moment, many) {
    const data = [];
    for (const [peer, line] of lines) {
      for (const [x, y, round] of line) data.push([x, y, peer, round, moment]);
      data.push([null, null, peer, null, moment]);
    }
    return { name, type: "line", data, showSymbol: false, symbol: mark.symbol, symbolSize: 5, z: 2,
      lineStyle: { color: mark.color, width: 1, opacity: many ? 0.25 : 0.45 }, itemStyle: { color: mark.color }, triggerLineEvent: true };
  }

  function meanSeries(name, mark, rows, moment) {
    const trained = moment !== AGGREGATED;
    return { name, type: "line", z: 4, symbol: mark.symbol, symbolSize: rows.length > 40 ? 0 : 6,
      data: rows.map((row) => [row.x, row.y, null, row.round, moment, row]),
      lineStyle: { color: mark.color, width: trained ? 1.5 : 2.5, type: trained ? "dotted" : "solid" }, itemStyle: { color: mark.color } };
  }

  function bandSeries(name, mark, rows) {
    return { name, type: "custom", z: 1, silent: true, data: [[0, 0]], tooltip: { show: false },
      encode: { x: -1, y: -1 }, itemStyle: { color: mark.color },
      renderItem(params, api) {
        if (params.dataIndexInside || !rows.length) return null;
        const points = [...rows.map((row) => api.coord([row.x, row.high])), ...rows.map((row) => api.coord([row.x, row.low])).reverse()];
        return { type: "polygon", shape: { points }, style: { fill: mark.color, opacity: 0.13 }, silent: true,
          clipPath: { type: "rect", shape: { ...params.coordSys } } };
      } };
  }

  function referenceSeries(c, axis) {
    if (!["round", "seconds"].includes(c.controls.axis)) return [];
    const rows = c.store.table("reference").rows().filter((row) => row.moment === AGGREGATED);
    const sources = [...new Set(rows.map((row) => row.source))];
    return sources.map((source) => {
      const dash = source === "baseline" ? [8, 4] : [3, 3];
      return { name: source === "control" ? "control run" : source, type: "line", z: 5, symbol: "none",
        data: rows.filter((row) => row.source === source && row[axis.column] !== null).map((row) => [row[axis.column], row.mean, null, row.round, AGGREGATED]),
        lineStyle: { color: c.palette.text, width: 2, type: dash }, itemStyle: { color: c.palette.text } };
    }).filter((series) => series.data.length);
  }

  /** Faults as shaded areas, from when they were applied until they healed. */
  function shades(c) {
    const { axis } = c.controls;
    if (!["round", "seconds"].includes(axis)) return null;
    const areas = [];
    for (const row of c.store.table("faults").rows()) {
      const from = axis === "round" ? row.round : row.applied_s;
      const to = axis === "round" ? (row.first_round_after ?? c.store.facts.rounds - 1) : (row.healed_s ?? c.store.facts.duration_s ?? c.store.facts.now_s);
      if (from === null || from === undefined || to === null || to === undefined) continue;
      const chosen = c.selection.fault === row.occurrence;
      areas.push([{ xAxis: from, name: prisam.text.short(row.kind ?? "", 18), itemStyle: { opacity: chosen ? 1 : 0.7, borderColor: c.palette.selected, borderWidth: chosen ? 2 : 0, borderType: "dashed" } }, { xAxis: to }]);
    }
    if (!areas.length) return null;
    const few = areas.length <= 12;
    return { name: "faults", type: "line", data: [], z: 0, itemStyle: { color: c.palette.selected },
      markArea: { silent: true, itemStyle: { color: c.palette.shade }, label: { show: few, color: c.palette.muted, fontSize: 10, position: "insideTop" }, data: areas } };
  }

  function chosenSeries(c, lines, moment) {
    const { peer } = c.selection;
    if (peer === null || !lines.has(peer)) return [];
    return [{ name: c.store.peerId(peer), type: "line", z: 6, symbol: "circle", symbolSize: 6,
      data: lines.get(peer).map(([x, y, round]) => [x, y, peer, round, moment]),
      lineStyle: { color: c.palette.selected, width: 3 }, itemStyle: { color: c.palette.selected } }];
  }

  function tooltip(c, axis) {
    return (params) => {
      const [x, y, peer, round, moment, row] = params.value;
      const rows = [["accuracy", prisam.text.share(y, 2)], ["moment", MOMENTS[moment] ?? ""], ["round", round ?? ""]];
      if (axis.column !== "round") rows.push([axis.name, prisam.text.number(x, 2)]);
      if (row && row.n) rows.push(["peers", row.n], ["lowest", prisam.text.share(row.low, 2)], ["highest", prisam.text.share(row.high, 2)]);
      return prisam.text.tooltip(peer === null || peer === undefined ? params.seriesName : c.store.peerId(peer), rows);
    };
  }

  function build(c) {
    const table = c.store.table("accuracy");
    const axis = AXES[c.controls.axis];
    const { score, show } = c.controls;
    const moments = c.controls.moment === "both" ? [AGGREGATED, TRAINED] : [Number(c.controls.moment)];
    const series = [];
    const notes = [];
    const groups = [...new Set(c.store.peersByGroup().map((peer) => c.store.groupOf(peer)))];
    moments.forEach((moment, place) => {
      const lines = linesOf(table, moment, axis.column, score);
      for (const group of groups) {
        const mine = new Map([...lines].filter(([peer]) => c.store.groupOf(peer) === group));
        if (!mine.size) continue;
        const mark = c.palette.group(group);
        const rows = spread(mine.values());
        const name = place ? `${groupName(group)}, ${MOMENTS[moment]}` : groupName(group);
        if (!place && show !== "peers") series.push(bandSeries(name, mark, rows));
        if (!place && show !== "means") series.push(peerSeries(name, mark, mine, moment, lines.size > 40));
        if (show !== "peers") series.push(meanSeries(name, mark, rows, moment));
      }
      if (!place) series.push(...chosenSeries(c, lines, moment));
    });
    const asTable = () => {
      const names = ["round", "moment", "validation", "test", "t_s", "device_s", "wire_mib"].filter((name) => table.has(name));
      return { columns: ["peer", ...names], rows: table.rows().map((row) => [c.store.peerId(row.peer), ...names.map((name) => (name === "moment" ? MOMENTS[row.moment] : row[name]))]) };
    };
    if (!series.length) {
      const why = table.n ? `No record of this run tells ${axis.name} of "${MOMENTS[moments[0]]}" (${score}).` : "This run recorded no accuracy: it ended before the first evaluation.";
      return { option: null, empty: why, table: asTable, summary: why };
    }
    series.push(...referenceSeries(c, axis));
    if (["device", "wire"].includes(c.controls.axis)) notes.push("Baseline, control run and faults are drawn over rounds and seconds only.");
    const shade = shades(c);
    if (shade) series.push(shade);
    if (c.selection.round !== null && c.controls.axis === "round") {
      series.push({ name: "selected round", type: "line", data: [], markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.palette.selected, type: "dashed" }, data: [{ xAxis: c.selection.round }] } });
    }
    const last = spread(linesOf(table, moments[0], axis.column, score).values()).at(-1);
    const summary = `Accuracy (${score}) over ${axis.name}, ${MOMENTS[moments[0]]}. In round ${last.round}: mean ${prisam.text.share(last.y)}, lowest ${prisam.text.share(last.low)}, highest ${prisam.text.share(last.high)} of ${last.n} peers.`;
    return { height: c.width < 600 ? 340 : 430, notes, table: asTable, summary,
      option: {
        grid: { left: 56, right: 24, top: 16, bottom: 108 },
        legend: { type: "scroll", bottom: 0, data: [...new Set(series.map((each) => each.name))] },
        tooltip: { formatter: tooltip(c, axis) },
        xAxis: { type: "value", name: axis.name, nameLocation: "middle", nameGap: 26, min: "dataMin", max: "dataMax", minInterval: c.controls.axis === "round" ? 1 : 0,
          axisLabel: { formatter: (value) => String(Number(value.toFixed(2))) } },
        yAxis: { type: "value", name: "accuracy", scale: true, axisLabel: { formatter: (value) => `${Math.round(value * 100)} %` } },
        dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" }, { type: "slider", filterMode: "none", bottom: 32, height: 22 }],
        series,
      } };
  }

  prisam.view({
    id: "accuracy",
    title: "Accuracy",
    order: 3,
    tables: ["accuracy", "reference", "faults", "peers"],
    how: "A thin line is a peer, a thick line the mean of a data group, and the band reaches from the group's lowest to its highest peer. Solid is the model after aggregation, dotted after training alone: where the solid line lies below, averaging cost the group accuracy. Long dashes are the baseline, short dashes the control run without faults. Shaded is the time of a fault. Hold Ctrl and turn the wheel, or drag the slider, to zoom.",
    figures: [{
      id: "accuracy",
      title: "Accuracy",
      controls: [
        { id: "axis", label: "Over", options: [["round", "rounds"], ["seconds", "seconds"], ["device", "device time"], ["wire", "wire MiB"]] },
        { id: "moment", label: "Moment", options: [["both", "aggregated and trained"], ["2", "aggregated"], ["0", "trained"], ["1", "averaged, before recalibration"]] },
        { id: "score", label: "On", options: [["test", "test data"], ["validation", "validation data"]] },
        { id: "show", label: "Show", options: [["all", "peers, means, bands"], ["means", "means and bands"], ["peers", "peers"]] },
      ],
      build,
      click(event) {
        const [, , peer, round] = event.value || [];
        if (peer === null || peer === undefined) return Number.isInteger(round) ? { round } : null;
        return Number.isInteger(round) ? { peer, round } : { peer };
      },
    }],
  });
})();
