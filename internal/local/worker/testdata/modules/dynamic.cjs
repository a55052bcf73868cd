module.exports = () => import("./esm.mjs");
