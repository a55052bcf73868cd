package dynamo

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

const (
	hashAttr    = "hash"
	revokedAttr = "revokedAt"
)

func readToken(it item) (anchor.Token, error) {
	t, err := decodeRecord[anchor.Token](it)
	t.Hash, t.RevokedAt = binOf(it, hashAttr), numOf(it, revokedAttr)
	return t, err
}

// CreateToken inserts token, durable on return: a Conflict when its id or hash exists.
func (s *Store) CreateToken(ctx context.Context, token anchor.Token) error {
	rec, err := encodeRecord(token)
	if err != nil {
		return err
	}
	whole := item{recordAttr: rec, hashAttr: bytesValue(token.Hash)}
	if token.RevokedAt != 0 {
		whole[revokedAttr] = numberValue(token.RevokedAt)
	}
	taken := refuseWith(records.IDTaken("token", token.ID))
	return s.writeTransaction(ctx, "create the token",
		change{at: s.t.tokenID(token.ID), put: item{hashAttr: bytesValue(token.Hash)}, when: notThere, refused: taken},
		change{at: s.t.tokenKey(token.Hash), put: whole, when: notThere, refused: taken},
	)
}

// TokenByHash returns the token, revoked or not, or NotFound.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (anchor.Token, error) {
	it, err := s.getItem(ctx, "read the token", s.t.tokenKey(hash))
	switch {
	case err != nil:
		return anchor.Token{}, err
	case it == nil:
		return anchor.Token{}, records.NoToken()
	}
	return readToken(it)
}

// Tokens returns all tokens, newest first.
func (s *Store) Tokens(ctx context.Context) ([]anchor.Token, error) {
	const what = "list the tokens"
	q := withPrefix(s.t.Projects, allTokens, "TOKEN#")
	q.newest = true
	entries, err := s.queryAll(ctx, what, q)
	if err != nil {
		return nil, err
	}
	at := make([]address, 0, len(entries))
	for _, e := range entries {
		at = append(at, s.t.tokenKey(binOf(e, hashAttr)))
	}
	items, err := s.loadItems(ctx, what, at)
	if err != nil {
		return nil, err
	}
	return decodeRecords(items, readToken)
}

// RevokeToken marks the token as revoked, durable on return; NotFound. When it is revoked again,
// the first time stays.
func (s *Store) RevokeToken(ctx context.Context, id string, at int64) error {
	const what = "revoke the token"
	entry, err := s.getItem(ctx, what, s.t.tokenID(id))
	switch {
	case err != nil:
		return err
	case entry == nil:
		return records.NoToken()
	}
	token := s.t.tokenKey(binOf(entry, hashAttr))
	_, err = s.updateItem(ctx, what, &dynamodb.UpdateItemInput{
		TableName: sdk.String(token.table), Key: token.keyItem(),
		UpdateExpression:          sdk.String("SET #revokedAt = if_not_exists(#revokedAt, :at)"),
		ConditionExpression:       sdk.String(isThere),
		ExpressionAttributeNames:  map[string]string{"#revokedAt": revokedAttr, "#pk": pk},
		ExpressionAttributeValues: item{":at": numberValue(at)},
	}, refuseWith(records.NoToken()))
	return err
}
