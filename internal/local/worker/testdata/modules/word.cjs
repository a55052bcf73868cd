module.exports = () => say(); function say() { return "first"; }
