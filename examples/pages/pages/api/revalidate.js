// On-demand revalidation of one path, as the pages router does it.
export default async function revalidate(req, res) {
  const { path } = req.query;
  if (typeof path !== 'string') return res.status(400).json({ error: 'give ?path=' });
  await res.revalidate(path);
  res.json({ revalidated: path });
}
