"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const MODES = { still: "Still picture", zoom: "Part of a picture, enlarged", moving: "Moving picture" };
const CHOICES = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "none", " ": "none" };

/** The test, from its introduction over its pairs to its summary. */
class BlindTest {
  constructor(place) {
    this.place = place;
    this.ballot = new Ballot();
    this.isSaved = false;
    this.seen = null;
    this.screen = "introduction";
    addEventListener("keydown", (event) => this.press(event));
    addEventListener("beforeunload", (event) => {
      if (this.ballot.votes.length && !this.isSaved) event.preventDefault();
    });
    this.introduce();
  }

  introduce() {
    const key = (name, text) => element("tr", {}, element("td", {}, element("kbd", {}, name)), element("td", {}, text));
    this.place.replaceChildren(element(
      "div", { class: "page" },
      element("h1", {}, "Which picture do you prefer?"),
      element("p", {}, `You will see ${counted(data.pairs.length, "pair")} of pictures of the same scene, some still, some enlarged, some moving. Say each time which side you would rather watch. There is no right answer, and you need not decide where you see no difference.`),
      element("table", { class: "keys" }, element("tbody", {},
        key("←", "the left one is better"), key("→", "the right one is better"), key("↓ or space", "no preference"),
        key("O", "show the original in both places, and hide it again"), key("U", "undo the last vote"))),
      element("p", { class: "soft" }, "The buttons below the pictures do the same. At the end you save your votes as a file. Nothing is sent anywhere."),
      element("p", { class: "row" }, element("button", { type: "button", id: "start", class: "main", onclick: () => this.start() }, "Start")),
    ));
    document.getElementById("start").focus();
  }

  start() {
    this.view = new PairView(data.images);
    const button = (id, text, act) => element("button", { type: "button", id, onclick: act }, text);
    this.bar = element("progress", { max: data.pairs.length, "aria-label": "Pairs judged" });
    this.count = element("span", { id: "progress", role: "status" });
    this.mode = element("span", { id: "mode", class: "soft" });
    this.originalButton = button("original", "Original (O)", () => this.toggleOriginal());
    this.undoButton = button("undo", "Undo (U)", () => this.undo());
    this.choiceButtons = [
      button("left", "← Left is better", () => this.vote("left")), button("none", "No preference ↓", () => this.vote("none")),
      button("right", "Right is better →", () => this.vote("right")),
    ];
    this.trial = element(
      "div", { class: "trial", tabindex: -1 },
      element("header", {}, this.count, this.mode, this.bar),
      this.view.node,
      element("footer", {},
        element("div", { class: "choices" }, this.choiceButtons),
        element("div", { class: "others" }, this.originalButton, this.undoButton, button("stop", "Stop here", () => this.close()))),
    );
    this.showPair();
  }

  async showPair() {
    const number = this.ballot.votes.length;
    if (number === data.pairs.length) return this.close();
    const pair = data.pairs[number];
    if (this.screen !== "pair") this.place.replaceChildren(this.trial);
    this.screen = "pair";
    this.seen = null;
    this.originalShown = false;
    this.count.textContent = `${number + 1} of ${data.pairs.length}`;
    this.mode.textContent = MODES[pair.mode];
    this.bar.value = number;
    this.enable();
    // So that the space bar does not press the button that was pressed last.
    this.trial.focus();
    try {
      if (!(await this.view.show(pair, data.pairs[number + 1]))) return;
    } catch {
      this.mode.textContent = "These pictures cannot be shown by this browser.";
      return;
    }
    this.seen = performance.now();
    this.enable();
  }

  enable() {
    for (const button of this.choiceButtons) button.disabled = this.seen === null;
    this.originalButton.disabled = this.seen === null || this.view.pair.original === null;
    this.originalButton.setAttribute("aria-pressed", String(this.view.original ?? false));
    this.undoButton.disabled = !this.ballot.votes.length;
  }

  vote(choice) {
    if (this.screen !== "pair" || this.seen === null) return;
    this.ballot.add(choice, performance.now() - this.seen, this.originalShown);
    this.isSaved = false;
    this.showPair();
  }

  undo() {
    if (!["pair", "closing"].includes(this.screen) || !this.ballot.votes.length) return;
    this.ballot.undo();
    this.showPair();
  }

  toggleOriginal() {
    if (this.screen !== "pair" || this.seen === null) return;
    this.view.showOriginal(!this.view.original);
    this.originalShown ||= this.view.original;
    this.enable();
    this.trial.focus();
  }

  /** After the last pair, or before: votes may be taken back as long as no name has been shown. */
  close() {
    this.screen = "closing";
    this.view.stop();
    const count = this.ballot.votes.length, isDone = count === data.pairs.length;
    this.place.replaceChildren(element(
      "div", { class: "page", tabindex: -1 },
      element("h1", {}, isDone ? "That was the last pair" : "Stop here?"),
      element("p", {}, `${count} of ${counted(data.pairs.length, "pair")} ${count === 1 ? "is" : "are"} judged. When you finish, you see which codec was which, and votes can no longer be changed.`),
      element("p", { class: "row" },
        count ? element("button", { type: "button", id: "finish", class: "main", onclick: () => this.finish() }, "Finish (Enter)") : null,
        isDone ? null : element("button", { type: "button", id: "continue", onclick: () => this.showPair() }, "Go on"),
        count ? element("button", { type: "button", id: "undo", onclick: () => this.undo() }, "Undo the last vote (U)") : null),
    ));
    // No button has the focus: the space bar, pressed once too often, must not show the names.
    this.place.firstChild.focus();
  }

  finish() {
    this.screen = "summary";
    this.file = this.ballot.file(data.page, data.seed, JSON.parse(reveal(data.concealed, data.page)));
    const { votes } = this.file;
    const rows = countVotes(votes).map(({ codecs, preferred, ties }) => element(
      "tr", {}, element("th", { scope: "row" }, `${codecs[0]} and ${codecs[1]}`),
      [...preferred, ties].map((count) => element("td", { class: "number" }, String(count))),
    ));
    this.place.replaceChildren(element(
      "div", { class: "page" },
      element("h1", {}, "Thank you"),
      element("p", {}, `You judged ${counted(votes.length, "pair")}. Save your votes and send the file to whoever gave you this page.`),
      element("p", { class: "row" }, element("button", { type: "button", id: "save", class: "main", onclick: () => this.save() }, "Save votes"), element("span", { id: "saved", class: "soft", role: "status" })),
      element("h2", {}, "Your votes"),
      table(["Codecs", "for the first", "for the second", "no preference"], rows, true),
      element("details", { id: "each" }, element("summary", {}, "Pair by pair"), table(
        ["Pair", "Clip", "Shown", "Left", "Right", "Your choice"],
        votes.map((vote) => element(
          "tr", {}, [vote.pair, vote.clip].map((text) => element("td", {}, String(text))),
          element("td", {}, MODES[vote.mode], element("small", {}, pictures(vote))),
          [vote.left, vote.right].map((side) => element("td", {}, side.codec, element("small", {}, `${side.setting}, ${digits(side.bits_per_pixel)} bpp`))),
          element("td", {}, vote.choice ?? "no preference"),
        )),
      )),
    ));
    document.getElementById("save").focus();
  }

  save() {
    const address = URL.createObjectURL(new Blob([`${JSON.stringify(this.file, null, 1)}\n`], { type: "application/json" }));
    const name = `votes-${data.page.slice(0, 8)}-${this.ballot.session.slice(0, 8)}.json`;
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    this.isSaved = true;
    document.getElementById("saved").textContent = `Saved as ${name}, where your browser puts downloads.`;
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // Buttons that were reached by the tabulator are pressed by these keys.
    if ([" ", "Enter"].includes(event.key) && event.target instanceof HTMLButtonElement) return;
    if (event.key === "Enter" && this.screen === "closing" && this.ballot.votes.length) return this.finish();
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = { o: () => this.toggleOriginal(), u: () => this.undo(), Backspace: () => this.undo() }[key];
    const choice = CHOICES[event.key];
    if (!(act || choice) || !["pair", "closing"].includes(this.screen)) return;
    event.preventDefault();
    if (event.repeat) return;
    if (act) act();
    else this.vote(choice);
  }
}

function counted(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

function pictures(vote) {
  const last = vote.first_picture + vote.pictures - 1;
  return vote.pictures === 1 ? `picture ${last}` : `pictures ${vote.first_picture} to ${last}`;
}

function table(heads, rows, isNumeric = false) {
  const head = (text, n) => element("th", { scope: "col", class: isNumeric && n ? "number" : "" }, text);
  return element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, heads.map(head))), element("tbody", {}, rows)));
}

const test = new BlindTest(document.getElementById("test"));
