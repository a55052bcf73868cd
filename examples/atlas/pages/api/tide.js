// An answer that visitors share, and that is made from no page.
export default function tide(req, res) {
  res.setHeader('Cache-Control', 'public, s-maxage=3600');
  res.json({ at: new Date().toISOString() });
}
