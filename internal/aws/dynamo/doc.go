// Package dynamo stores the records in DynamoDB, in three tables. It passes recordstest.
//
// A record is stored once, under a key made of its id, so that it can be read with one consistent
// GetItem. Lists (a project's deployments, the unfinished ones) consist of small items that name
// the records and are written in the same transaction, so lists are consistent too. Only
// DueHostnames reads an index, which lags.
//
// Conditional writes are transactions even when they write one item. The SDK gives each a
// ClientRequestToken, so when it retries a call whose answer was lost, the call has no second
// effect (DynamoDB API, TransactWriteItems).
//
// The tables have the keys pk and sk. Their items (address.go):
//
//	projects     PROJECT      PROJECT#<id>          a project; counts its numbers and Orders; "deleting" while it is deleted
//	             SLUG         SLUG#<slug>           a copy of it
//	             LIVE         LIVE#<project>        its live pointer: the last release
//	             LEASE        LEASE#<project>       who may change its functions
//	             PROJECT#<p>  RELEASE#<revision>    a release
//	             RELEASE      RELEASE#<id>          reserves its id
//	             PROJECT#<p>  ENV                   the environment, one attribute for each variable
//	             PROJECT#<p>  VALUE#<set>#<name>    a large value of it
//	             PROJECT#<p>  NOTE                  the platform's note about it
//	             PROJECT#<p>  CRON#<digest>         a cron, and up to when its runs are accounted for
//	             PROJECT#<p>  CRONRUN#<id>          a run of a cron
//	             PROJECT#<p>  CRONPAUSE#<digest>    that a path is not requested on its schedule
//	             PROJECT#<p>  CRONLOCK#<digest>     which run requests a path
//	             SHA256       SHA256#<hex>          a token
//	             TOKEN        TOKEN#<id>            the hash of a token
//	             REMOVED#<p>  REMOVED               that the project was deleted
//	deployments  DEPLOY#<id>  RECORD                a deployment and its number
//	             DEPLOY#<id>  JOURNAL               the Seq of its last event
//	             DEPLOY#<id>  EVENT#<seq>           an event
//	             DEPLOY#<id>  ENV                   its locked environment
//	             DEPLOY#<id>  BUILD                 the platform's note about its build
//	             DEPLOY#<id>  CRONS                 which functions answer its crons
//	             PROJECT#<p>  ORDER#<order>         that it belongs to the project, and its place there
//	             PROJECT#<p>  DEPLOY#<id>           the same, for a deployment from before there was an Order
//	             PROJECT#<p>  KEPT#<id>             that it can serve
//	             UNFINISHED   DEPLOY#<id>           that it has not ended
//	             REMOVED#<id> REMOVED               that it was deleted with its project
//	domains      HOST         HOST#<id>             a hostname, with due and dueAt when a check of it is due
//	             NAME         NAME#<name>           which hostname has the name
//	             PROJECT#<p>  HOST#<id>             that it belongs to the project
//
// The REMOVED items are never deleted and do not expire. By them a sweep distinguishes what was
// deleted from what a table does not know because it is lost, older or another installation's.
// Each takes some 100 bytes (docs/decisions/0023-a-project-is-removed-once.md).
//
// Some partitions hold an item of every project. One partition serves 1,000 writes and 3,000 reads
// a second (DynamoDB Developer Guide, "Partitions"), far more than deploying needs. No request of
// a site reads here.
package dynamo
