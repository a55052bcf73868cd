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
