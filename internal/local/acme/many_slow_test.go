//go:build slow

package acme

const manyNames = 1000
