/* What lies under the mouse on the timeline, in words: a span, a pull, a gap, and the faults and
   notes of that moment. */
"use strict";

(function () {
  const { spanAt, pullsOf } = prisam.timelineModel;
  const { PULLS, FAULT_LANES, FAULT_LANE_PX, NOTES_PX } = prisam.timelineDraw;
  const { text } = prisam;
  const NEAR_PX = 4;
  const MOST_NAMED = 6;

  /** What lies at a pixel: {tip: element, select: what a click selects}, or null. */
  function find({ model, bands, notes, pauses }, store, scale, x, y) {
    if (x < scale.area.x || x > scale.area.x + scale.area.width) return null;
    const t_s = scale.t(x);
    const slack_s = NEAR_PX / scale.perSecond;
    if (y < scale.area.y - NOTES_PX) return ofBand(bandAt(bands, scale, t_s, y), store);
    if (y < scale.area.y) return ofLauncher(notes, t_s, slack_s * 2);
    const row = scale.row(y);
    const peer = model.peers[row];
    if (peer === undefined || y > scale.area.y + scale.area.height) return null;
    const within = (y - scale.y(row, 0)) / scale.rowPx;
    const found =
      (within >= PULLS[0] &&
        (ofPull(model, store, peer, t_s, slack_s, within) ||
          ofPause(pauses, store, peer, t_s, slack_s))) ||
      ofSpan(model, store, peer, t_s, slack_s / 2) ||
      ofGap(model, store, peer, t_s);
    if (!found) return null;
    for (const note of notes) {
      if (note.peer === peer && Math.abs(note.at_s - t_s) <= slack_s * 2)
        found.rows.push([`at ${text.seconds(note.at_s)}`, note.text]);
    }
    for (const { fault, begin_s, end_s, rows } of bands) {
      if (t_s >= begin_s && t_s <= end_s && rows.includes(row))
        found.rows.push([
          "during the fault",
          `${fault.occurrence} (${fault.kind}): ${fault.verdict ?? "no verdict"}`,
        ]);
    }
    return { tip: text.tooltip(found.heading, found.rows), select: found.select };
  }

  function bandAt(bands, scale, t_s, y) {
    const lane = Math.floor((y - scale.area.y + NOTES_PX) / FAULT_LANE_PX) + FAULT_LANES;
    return bands
      .filter(
        (band) =>
          band.lane === lane &&
          t_s >= band.begin_s - NEAR_PX / scale.perSecond &&
          t_s <= band.end_s,
      )
      .pop();
  }

  function ofLauncher(notes, t_s, slack_s) {
    const near = notes.filter((note) => note.peer < 0 && Math.abs(note.at_s - t_s) <= slack_s);
    return near.length
      ? {
          tip: text.tooltip(
            "The run",
            near.map((note) => [text.seconds(note.at_s, 3), note.text]),
          ),
          select: null,
        }
      : null;
  }

  function ofBand(band, store) {
    if (!band) return null;
    const { fault } = band;
    const rows = [
      ["kind", fault.kind],
      ["at", named(fault.peers || [], store)],
      ["applied", text.seconds(fault.applied_s, 3)],
      ["healed", fault.healed_s === null ? "not in this run" : text.seconds(fault.healed_s, 3)],
      ["verdict", fault.verdict ?? "no verdict"],
      ["why", fault.why],
    ];
    return {
      tip: text.tooltip(
        `Fault ${fault.occurrence}`,
        rows.filter(([, value]) => value),
      ),
      select: { fault: fault.occurrence },
    };
  }

  function ofSpan(model, store, peer, t_s, slack_s) {
    const row = spanAt(model, peer, t_s, slack_s);
    if (row < 0) return null;
    const { phase, round, begin_s, end_s } = model.span;
    const name = model.phases[phase[row]];
    const rows = [
      ["round", roundWords(round[row])],
      ["lasted", text.seconds(end_s[row] - begin_s[row], 3)],
      ["from", `${text.seconds(begin_s[row], 3)} to ${text.seconds(end_s[row], 3)}`],
    ];
    if (store.table("sat_out").rowsOf(peer, round[row]).length)
      rows.push(["took part", "no: it sat this round out"]);
    if (name === "waiting for masks") rows.push(...waitedFor(store, peer, round[row]));
    return { heading: `${store.peerId(peer)}: ${name}`, rows, select: selected(peer, round[row]) };
  }

  /** Whom a peer waited for in a round: the last masks to arrive, and those that did not. */
  function waitedFor(store, peer, round) {
    const found = store.table("arrivals").rowsOf(peer, round)[0];
    if (!found) return [["waited for", "not recorded"]];
    const last = (found.slowest || []).length > 1 ? ", the last one first" : "";
    const rows = [["waited for", `${named(found.slowest || [], store)}${last}`]];
    if (found.first_s !== null && found.last_s !== null)
      rows.push([
        "masks arrived",
        `${text.seconds(found.first_s, 3)} to ${text.seconds(found.last_s, 3)}`,
      ]);
    for (const [from, reason] of (found.missing || []).slice(0, MOST_NAMED))
      rows.push([`missing: ${store.peerId(from)}`, reason]);
    return rows;
  }

  function ofPull(model, store, peer, t_s, slack_s, within) {
    const height = (PULLS[1] - PULLS[0]) / model.lanes;
    const lane = Math.min(model.lanes - 1, Math.floor((within - PULLS[0]) / height));
    const list = (pullsOf(model, peer).find(([each]) => each === lane) || [])[1];
    const row = list ? prisam.spanIndex.rowAt(list, t_s, slack_s) : -1;
    if (row < 0) return null;
    const { donor, round, began_s, end_s, n_bytes, fetched_bytes, outcome, reason } = model.pull;
    const rows = [
      ["round", roundWords(round[row])],
      ["lasted", text.seconds(end_s[row] - began_s[row], 3)],
      ["from", `${text.seconds(began_s[row], 3)} to ${text.seconds(end_s[row], 3)}`],
      ["weights", text.bytes(n_bytes[row])],
      ["transferred", text.bytes(fetched_bytes[row])],
      ["outcome", reason[row] ? `${outcome[row]}: ${reason[row]}` : outcome[row]],
    ];
    return {
      heading: `${store.peerId(peer)} pulls from ${store.peerId(donor[row])}`,
      rows,
      select: selected(peer, round[row]),
    };
  }

  function ofPause(pauses, store, peer, t_s, slack_s) {
    const found = (pauses.get(peer) || []).find(
      ({ begin_s, end_s }) => t_s >= begin_s - slack_s && t_s <= end_s + slack_s,
    );
    if (!found) return null;
    const { round, begin_s, end_s } = found;
    const rows = [
      ["round", roundWords(round)],
      ["because", "it was not drawn to take part in this round"],
      ["waited", `${text.seconds(end_s - begin_s, 3)} for the masks of those that were`],
      ["from", `${text.seconds(begin_s, 3)} to ${text.seconds(end_s, 3)}`],
    ];
    return {
      heading: `${store.peerId(peer)} sits a round out`,
      rows,
      select: selected(peer, round),
    };
  }

  function ofGap(model, store, peer, t_s) {
    const gaps = model.gaps.get(peer) || [];
    for (let i = 0; i < gaps.length; i += 2) {
      if (t_s < gaps[i] || t_s > gaps[i + 1]) continue;
      const rows = [
        ["from", `${text.seconds(gaps[i])} to ${text.seconds(gaps[i + 1])}`],
        ["because", "its process was down, or ended before it wrote what it did"],
      ];
      return { heading: `${store.peerId(peer)}: no record`, rows, select: { peer } };
    }
    return null;
  }

  const selected = (peer, round) => (round < 0 || round === null ? { peer } : { peer, round });
  const roundWords = (round) => (round === null || round < 0 ? "before the first" : String(round));

  function named(peers, store) {
    if (!peers.length) return "nobody";
    const first = peers
      .slice(0, MOST_NAMED)
      .map((peer) => store.peerId(peer))
      .join(", ");
    return peers.length > MOST_NAMED ? `${first} and ${peers.length - MOST_NAMED} others` : first;
  }

  prisam.timelineTip = { find };
})();
