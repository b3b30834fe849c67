package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SameRequest reports whether a hash is what Used found: of an earlier version it is the hash itself.
func (s *Store) SameRequest(found, hash string) (bool, error) {
	masked, err := s.maskedHash(hash)
	return found == hash || found == masked, err
}

// Used finds what an idempotency key was used for: what SameRequest compares, and the status of its reply. It is empty
// where the key is new.
func (s *Store) Used(ctx context.Context, scope string) (hash string, status int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT body, status FROM idempotency WHERE scope = ?`, hashText(scope)).Scan(&hash, &status)
	if errors.Is(err, sql.ErrNoRows) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("read a key's record: %w", err)
	}
	return hash, status, nil
}

// RememberKey records what an idempotency key was used for.
func (s *Store) RememberKey(ctx context.Context, scope, hash string, status int) error {
	hash, err := s.maskedHash(hash)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, `INSERT INTO idempotency (scope, body, status, created) VALUES (?,?,?,?) ON CONFLICT (scope) DO NOTHING`,
		hashText(scope), hash, status, millis(s.now()))
	return err
}

func (s *Store) forgetKeys(ctx context.Context, before time.Time) error {
	_, err := s.exec(ctx, `DELETE FROM idempotency WHERE created < ?`, millis(before))
	return err
}
