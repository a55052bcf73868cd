import { VERSION } from '../../lib/version';

export default function hello(req, res) {
  res.json({ hello: req.query.name ?? 'sailor', version: VERSION, pid: process.pid });
}
