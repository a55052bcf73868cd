// Package anchor is the domain: projects, deployments, releases and their rules. It imports no
// other package of Anchor and depends on no database, HTTP or cloud.
package anchor
