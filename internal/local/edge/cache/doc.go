// Package cache is a shared HTTP cache (RFC 9111) for the answers of functions: what may be stored,
// for how long and for whom (Judge, Fields), and a store in memory and on disk with a namespace for
// each deployment.
//
// Safety comes before hits. Stored is only what says that a shared cache may store it. A namespace
// can be invalidated as a whole in one step, and an answer that was asked for before an
// invalidation is never used after it, however late it arrives.
package cache
