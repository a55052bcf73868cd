package dynamo

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Store stores the records in DynamoDB. It is safe for concurrent use, also by many processes.
// Create it with New.
type Store struct {
	// Clock returns the time that leases are compared with; time.Now when nil.
	Clock func() time.Time

	db     *dynamodb.Client
	t      Tables
	counts counts
	notes  readNotes
}

// New returns the Store of the tables, which must exist: see Schema.
func New(client *dynamodb.Client, t Tables) *Store {
	return &Store{db: client, t: t, counts: counts{last: map[anchor.DeploymentID]int64{}}}
}

func (s *Store) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}
