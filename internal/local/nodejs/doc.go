// Package nodejs chooses the Node.js on which a deployment's functions run: the one of the machine,
// or one that Anchor installs in the data folder from the npm registry. A new release line renders
// pages with much less processor time than an old one, and what the machine has is often old.
package nodejs
