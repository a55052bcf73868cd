// Package dynamo keeps the records in DynamoDB, in three tables. It passes
// storetest.
//
// A record lies once, under a key that its id makes, so that it is read with one
// consistent GetItem. What lists need (a project's deployments, those that are
// unfinished) are small items that name it, written in the same transaction, so
// that lists are consistent too. Only DueHostnames asks an index, which lags.
//
// Conditional writes are transactions even when they write one item: the SDK gives
// each a ClientRequestToken, and so its own retry of a call whose answer was lost
// is no second call (DynamoDB API, TransactWriteItems).
package dynamo

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Store is the records in DynamoDB. It is safe for concurrent use, also by many
// processes. Make it with New.
type Store struct {
	// Clock tells the time that leases are compared to; time.Now when nil.
	Clock func() time.Time

	db     *dynamodb.Client
	t      Tables
	counts counts
}

// New gives the records in the tables, which must be there: see Schema.
func New(client *dynamodb.Client, t Tables) *Store {
	return &Store{db: client, t: t, counts: counts{last: map[anchor.DeploymentID]int64{}}}
}

func (s *Store) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}
