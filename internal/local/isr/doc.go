// Package isr stores what Next.js apps cache at run time on one machine: the objects of the
// incremental cache, the tag table and the revalidation queue. A namespace is one deployment; its
// name is opaque here. Package awswire exposes the stores through the AWS calls that OpenNext
// bundles make.
//
// Objects that an app wrote are one file each, named by the SHA-256 of namespace-private keys. Keys
// come from URLs (they hold "..", are very long, differ only in case), and a file is streamed in
// and out without passing through a database. The file starts with a header that holds the key, so
// nothing else has to agree with it. Files are synced before they are renamed, but their folder is
// not: after a power cut an entry is whole, or is the older one, and the app renders it again.
//
// Everything else is in one SQLite file for all namespaces (WAL, synchronous=FULL): tag rows,
// because a lost revalidation would leave a page stale for ever, and the list of seeded objects,
// whose files stay where the artifact was unpacked. One file and a handful of connections serve any
// number of namespaces. An idle namespace costs no memory and no handle. An indexed read costs tens
// of microseconds, so there is no second copy in memory that could disagree.
package isr
