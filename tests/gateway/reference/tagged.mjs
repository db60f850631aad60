// Bytes are written {"#": "00ff"} in JSON.
export const tagged = (value) => {
  if (Buffer.isBuffer(value)) return { "#": value.toString("hex") };
  if (Array.isArray(value)) return value.map(tagged);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, tagged(inner)]));
};
export const untagged = (value) => {
  if (Array.isArray(value)) return value.map(untagged);
  if (value === null || typeof value !== "object") return value;
  if ("#" in value) return Buffer.from(value["#"], "hex");
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, untagged(inner)]));
};
