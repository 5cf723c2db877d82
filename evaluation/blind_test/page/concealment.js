"use strict";

/** The text that was concealed in base64 with a key of hexadecimal digits, by an exclusive or with xorshift's bytes. */
function reveal(concealed, key) {
  let state = parseInt(key.slice(0, 8), 16) || 1;
  const bytes = Uint8Array.from(atob(concealed), (character) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return character.charCodeAt(0) ^ (state >>> 24);
  });
  return new TextDecoder().decode(bytes);
}
