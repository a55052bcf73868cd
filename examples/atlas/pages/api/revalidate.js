// On-demand revalidation of one path, as the pages router does it.
export default async function revalidate(req, res) {
  await res.revalidate(req.query.path);
  res.json({ revalidated: req.query.path });
}
