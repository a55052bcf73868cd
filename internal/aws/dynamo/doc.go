// Package dynamo keeps the records in DynamoDB, in three tables. It passes
// recordstest.
//
// A record lies once, under a key that its id makes, so that it is read with one
// consistent GetItem. What lists need (a project's deployments, those that are
// unfinished) are small items that name it, written in the same transaction, so
// that lists are consistent too. Only DueHostnames asks an index, which lags.
//
// Conditional writes are transactions even when they write one item: the SDK gives
// each a ClientRequestToken, and so its own retry of a call whose answer was lost
// is no second call (DynamoDB API, TransactWriteItems).
//
// The tables have the keys pk and sk. What lies where (address.go):
//
//	projects     PROJECT      PROJECT#<id>          a project; counts its numbers and Orders; "deleting" while it is deleted
//	             SLUG         SLUG#<slug>           a copy of it
//	             LIVE         LIVE#<project>        its live pointer: the last release
//	             LEASE        LEASE#<project>       who changes its functions
//	             PROJECT#<p>  RELEASE#<revision>    a release
//	             RELEASE      RELEASE#<id>          that its id is taken
//	             PROJECT#<p>  ENV                   the environment, an attribute a variable
//	             PROJECT#<p>  VALUE#<set>#<name>    a large value of it
//	             PROJECT#<p>  NOTE                  what the platform notes of it
//	             SHA256       SHA256#<hex>          a token
//	             TOKEN        TOKEN#<id>            the hash of a token
//	             REMOVED#<p>  REMOVED               that the project was deleted
//	deployments  DEPLOY#<id>  RECORD                a deployment and its number
//	             DEPLOY#<id>  JOURNAL               the Seq of its last event
//	             DEPLOY#<id>  EVENT#<seq>           an event
//	             DEPLOY#<id>  ENV                   its locked environment
//	             PROJECT#<p>  ORDER#<order>         that it is the project's, and its place there
//	             PROJECT#<p>  DEPLOY#<id>           the same of a deployment of before there was an Order
//	             PROJECT#<p>  KEPT#<id>             that it can serve
//	             UNFINISHED   DEPLOY#<id>           that it has not ended
//	             REMOVED#<id> REMOVED               that it was deleted with its project
//	domains      HOST         HOST#<id>             a hostname, with due and dueAt when it is to be looked at
//	             NAME         NAME#<name>           whose the name is
//	             PROJECT#<p>  HOST#<id>             that it is the project's
//
// The REMOVED items stay: by them a sweep tells what was deleted from what a table that
// is lost, older or another installation's does not know. One takes some 100 bytes.
//
// Some partitions hold an item of every project. One takes 1,000 writes and 3,000
// reads a second (DynamoDB Developer Guide, "Partitions"), far above what people who
// deploy ask for; nothing on the path of a site's requests reads here.
package dynamo
