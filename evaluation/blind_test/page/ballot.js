"use strict";

/** A person's votes, in the order of the pairs. A choice is "left", "right" or "none". */
class Ballot {
  constructor() {
    this.votes = [];
    this.session = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  add(choice, milliseconds, originalShown) {
    this.votes.push({ choice, milliseconds: Math.round(milliseconds), originalShown });
  }

  undo() {
    this.votes.pop();
  }

  /** What is saved; `key` says which codecs the pairs were of. */
  file(page, seed, key) {
    const votes = this.votes.map((vote, n) => ({
      pair: n + 1,
      ...key.pairs[n],
      choice: vote.choice === "none" ? null : key.pairs[n][vote.choice].codec,
      milliseconds: vote.milliseconds,
      original_shown: vote.originalShown,
    }));
    return { format: key.format, version: key.version, page, seed, session: this.session, pairs: key.pairs.length, votes };
  }
}

/** How often each of two codecs was preferred, for all pairs of codecs: [{codecs, preferred, ties}]. */
function countVotes(votes) {
  const counts = new Map();
  for (const vote of votes) {
    const codecs = [vote.left.codec, vote.right.codec].sort();
    const name = codecs.join(" ");
    if (!counts.has(name)) counts.set(name, { codecs, preferred: [0, 0], ties: 0 });
    const count = counts.get(name);
    if (vote.choice === null) count.ties += 1;
    else count.preferred[codecs.indexOf(vote.choice)] += 1;
  }
  return [...counts.values()];
}
