// Reads a JSON object of playlists by name, gives one of what hls-parser says of each in strict mode: null, or the fault.
globalThis.self = globalThis;
const HLS = require(process.argv[2]);
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
HLS.setOptions({ strictMode: true });
const said = {};
for (const [name, text] of Object.entries(given)) {
  try {
    HLS.parse(text);
    said[name] = null;
  } catch (error) {
    said[name] = String(error.message);
  }
}
console.log(JSON.stringify(said));
