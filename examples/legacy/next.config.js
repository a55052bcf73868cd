module.exports = { basePath: '/shop' };
