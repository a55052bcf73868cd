// Package artifact stores artifacts by content. A client describes its files in a [Manifest],
// sends the contents that the [Store] lacks, and the store lays the files out as a tree whose
// files are hard links to one copy of each content.
//
// Files of a tree are read-only (0444, or 0555 when executable) because deployments share them:
// a user who may write to one changes it for all. Run programs that read a tree as a user that
// does not own the store.
//
// A folder belongs to one process at a time.
package artifact
