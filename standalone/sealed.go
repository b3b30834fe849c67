package main

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

// startCodec serves the endpoint at which Temporal's page has payloads opened, where they are sealed.
func (s *stack) startCodec() error {
	if s.keys.Sealer() == "" {
		return nil
	}
	path, err := filepath.Abs(s.keys.Path())
	if err != nil {
		return fmt.Errorf("name the file of keys: %w", err)
	}
	listener, err := listen(0)
	if err != nil {
		return err
	}
	page := s.at.UI
	server := &http.Server{
		Handler:           s.keys.Endpoint(page, strings.Replace(page, loopback, "localhost", 1)),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("the codec endpoint stopped", zap.Error(err))
		}
	}()
	s.onClose(func() { _ = server.Close() })
	s.at.Codec = "http://" + listener.Addr().String()
	s.at.KeyFile, s.at.KeyIDs = path, append([]string{s.keys.Sealer()}, s.keys.Others()...)
	return nil
}

// joinKeys are those of the stack that runs, unless others are named; its worker must be able to open what they seal.
func (s *stack) joinKeys() error {
	id := s.keys.Sealer()
	switch {
	case id == "" && s.at.KeyFile == "":
		return nil
	case id == "":
		keys, err := sealing.Load(s.at.KeyFile)
		if err != nil {
			return fmt.Errorf("the stack that runs seals payloads: %w", err)
		}
		s.keys, id = keys, keys.Sealer()
	case s.at.KeyFile == "":
		return fmt.Errorf("the stack that runs on %s keeps payloads plain; end it, and start it with --encryption-key-file", s.dir)
	}
	if !slices.Contains(s.at.KeyIDs, id) {
		return fmt.Errorf("the stack that runs on %s has no key %s; end it, and start it with --encryption-key-file", s.dir, id)
	}
	return nil
}
