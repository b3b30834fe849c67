package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	retryBase = 200 * time.Millisecond
	// retryCap is the longest wait in here. A service that asks for more is told to the caller at once,
	// who can wait without holding a connection or a goroutine.
	retryCap = 3 * time.Second
)

// noReply stands for the status of a request that got none.
const noReply = 0

// retryable are the statuses that may pass by themselves, on any method.
func retryable(status int) bool {
	switch status {
	case noReply, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryDelay is the whole rule: whether try number attempt (from 1) that ended in status, or in
// noReply where the request may be repeated, is followed by another, and after how long. jitter is in [0, 1).
func retryDelay(attempt, maxRetries, status int, asked time.Duration, jitter float64) (time.Duration, bool) {
	if attempt > maxRetries || !retryable(status) || asked > retryCap {
		return 0, false
	}
	if asked > 0 {
		return asked, true
	}
	backoff := min(retryBase<<min(attempt-1, 8), retryCap)
	return time.Duration(float64(backoff) * (0.75 + jitter/2)), true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func randomJitter() float64 { return rand.Float64() } //nolint:gosec // spreads retries, guards nothing
