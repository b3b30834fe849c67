package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/manifest"
	"github.com/convilyn/convilyn-temporal/workflows"
	"github.com/convilyn/convilyn-temporal/workflows/batch"
)

// batchRequest is a batch command as typed.
type batchRequest struct {
	source      string
	to          string
	output      string
	from        string
	quality     string
	pages       string
	options     conversionOptions
	losses      lossRequest
	include     []string
	exclude     []string
	onExist     string
	name        string
	concurrency int
	maxFailures int
	maxDuration time.Duration
	strict      bool
	shardFiles  int
	repeat      repeating
}

const (
	settleDefault = 5 * time.Second
	settleLeast   = time.Second
	settleMost    = time.Hour
	everyLeast    = time.Minute
)

// repeating is how a batch is done again and again, with nobody at hand.
type repeating struct {
	every  time.Duration // 0 for no schedule
	watch  bool
	settle time.Duration // 0 for settleDefault of a watch, and for all files at a schedule's times
}

func (r *repeating) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	durationVar(flags, &r.every, "every", 0, "do it again and again, such as every 1h; see 'schedules'")
	flags.BoolVar(&r.watch, "watch", false, "go on and take files as they come, once they have stopped growing")
	durationVar(flags, &r.settle, "settle", 0, "take files that have not changed for so long (default 5s with --watch); with --every others wait for the next time")
}

func (r repeating) repeats() bool { return r.watch || r.every != 0 }

// faults are of these flags alone; listed reports whether the source is a manifest.
func (r repeating) faults(listed bool, maxDuration time.Duration) []error {
	var faults []error
	note := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	note(r.watch && r.every != 0, "--watch and --every exclude each other; a watch takes files as they come, a schedule at its times")
	note(r.every < 0 || r.every > 0 && r.every < everyLeast, "--every %s is less than a minute; use --watch to take files as they come", term.Setting(r.every))
	note(r.every%time.Second != 0, "--every %s is not in whole seconds", r.every)
	note(r.settle != 0 && !r.repeats(), "--settle is for --watch and --every; other batches take what is there")
	note(r.settle != 0 && (r.settle < settleLeast || r.settle > settleMost), "--settle %s is not from 1s to 1h", r.settle)
	note(r.watch && listed, "--watch is for a folder or a pattern; a manifest is read again by --every")
	note(r.watch && maxDuration != 0, "--max-duration is not for --watch, which goes on until 'runs cancel'")
	return faults
}

// spec is how a plan is made where nobody can fix it.
func (r repeating) spec(spec *manifest.Spec) {
	if !r.repeats() {
		return
	}
	spec.Lenient, spec.Settle = true, r.settle
	if r.settle == 0 && r.watch {
		spec.Settle = settleDefault
	}
	spec.SkipFailed = r.watch // what failed at one time of a schedule may be fixed at the next
}

var errReplace = errors.New("--replace is for --every; a watch is ended with 'runs cancel'")

// A batch's name is part of file names.
var batchName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)

// item checks everything that can be checked without listing a file, and reports every fault at once. The plan is
// still to be made.
func (r batchRequest) item() (batchItem, error) {
	source, listed, sourceFault := r.sourcePath()
	output, outputFault := r.outputFolder()
	faults := []error{sourceFault, r.targetFault(listed), outputFault}
	faults = append(faults, r.optionFaults()...)
	faults = append(faults, r.boundFaults()...)
	faults = append(faults, r.repeat.faults(listed, r.maxDuration)...)
	onLoss, policy, lossFault := r.losses.read(&r.options)
	faults = append(faults, lossFault)
	if r.losses.asks() && r.repeat.repeats() {
		faults = append(faults, errors.New("--on-loss ask is not for --watch and --every; nobody is there to answer, and the next files would wait"))
	}
	if err := errors.Join(faults...); err != nil {
		return batchItem{}, &Failure{Code: ExitUsage, Err: err}
	}
	spec := manifest.Spec{
		Source: source, Output: output, To: client.NormalizeFormat(r.to), From: client.NormalizeFormat(r.from),
		Quality: r.quality, Pages: r.pages, Options: r.options.values, Include: r.include, Exclude: r.exclude, OnExist: r.onExist, MarkEvery: r.shardFiles,
		Strict: r.strict,
	}
	r.repeat.spec(&spec)
	name := r.name
	if name == "" {
		name = batchNameOf(spec)
	}
	id, err := batchID(name, spec)
	return batchItem{workflowID: id, source: r.source, input: batch.Input{
		Name: name, Spec: spec, Concurrency: r.concurrency, MaxFailures: r.maxFailures, MaxDuration: workflows.Duration(r.maxDuration),
		ShardItems: r.shardFiles, OnLoss: onLoss, Policy: policy,
	}}, err
}

// sourcePath is absolute; listed reports whether it is a manifest, whose lines may name their own targets.
func (r batchRequest) sourcePath() (source string, listed bool, err error) {
	switch strings.ToLower(filepath.Ext(r.source)) {
	case ".jsonl", ".ndjson", ".csv":
		listed = true
	}
	if source, err = filepath.Abs(r.source); err != nil {
		return "", listed, err
	}
	info, err := os.Stat(source)
	switch {
	case !utf8.ValidString(source):
		return "", listed, errors.New(notText(source))
	case err != nil && strings.ContainsAny(r.source, "*?["):
		if err := manifest.CheckPattern(r.source); err != nil {
			return "", false, err
		}
		return source, false, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", listed, fmt.Errorf("%s does not exist", r.source)
	case errors.Is(err, fs.ErrPermission):
		return "", listed, fmt.Errorf("%s cannot be reached: permission denied", r.source)
	case err != nil:
		return "", listed, err
	case info.IsDir():
		return source, false, nil
	case !info.Mode().IsRegular():
		return "", listed, fmt.Errorf("%s is neither a folder nor a regular file", r.source)
	case !listed:
		return "", true, fmt.Errorf("%s is a single file; use convert for it, or name a folder, a pattern or a manifest (.jsonl, .csv)", r.source)
	}
	return source, listed, nil
}

func (r batchRequest) targetFault(listed bool) error {
	switch {
	case r.to == "" && listed:
		return nil // the manifest may say
	case r.to == "":
		return errors.New("--to is missing; name the format to convert to")
	case strings.Contains(r.to, ","):
		return fmt.Errorf("--to %s names several formats; a batch takes one, a manifest one per line", r.to)
	}
	return unknownFormat("--to", r.to)
}

func unknownFormat(flag, format string) error {
	if format != "" && len(client.Families(client.NormalizeFormat(format))) == 0 {
		return fmt.Errorf("%s %q is not a known format%s", flag, format, didYouMean(client.NormalizeFormat(format), client.Formats()))
	}
	return nil
}

func (r batchRequest) outputFolder() (string, error) {
	if r.output == "" {
		return "", errors.New("-o is missing; name the folder for the outputs and the report")
	}
	folder, err := filepath.Abs(r.output)
	if err != nil {
		return "", err
	}
	return folder, writableFolder(folder)
}

func (r batchRequest) optionFaults() []error {
	faults := []error{unknownFormat("--from", r.from), r.options.fault}
	note := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if n, err := strconv.Atoi(r.quality); r.quality != "" && r.quality != "standard" && r.quality != "high" && (err != nil || n < 1 || n > 100) {
		note("--quality %q is not 1 to 100 (images), standard or high (documents)", r.quality)
	}
	// Any document has pages: what is wrong here is wrong for each file.
	if err := client.ValidateParams(client.CreateParams{FileID: "local-check", SourceFormat: "pdf", TargetFormat: "txt", PageRange: r.pages}); err != nil {
		note("--%w", err)
	}
	for _, pattern := range slices.Concat(r.include, r.exclude) {
		err := manifest.CheckPattern(pattern)
		switch {
		case err != nil:
			note("%w; write --include and --exclude such as '*.md' or 'drafts/**'", err)
		case filepath.IsAbs(pattern):
			note("%q is absolute; --include and --exclude are of paths in the source", pattern)
		}
	}
	return faults
}

func (r batchRequest) boundFaults() []error {
	var faults []error
	note := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch r.onExist {
	case onExistFail, onExistOverwrite, onExistSkip:
	default:
		note("--on-exist %q is not fail, skip or overwrite%s", r.onExist, didYouMean(r.onExist, []string{onExistFail, onExistSkip, onExistOverwrite}))
	}
	if r.concurrency < 1 || r.concurrency > batch.MaxConcurrency {
		note("--concurrency %d is not a number from 1 to %d", r.concurrency, batch.MaxConcurrency)
	}
	if r.maxFailures < 0 {
		note("--max-failures must be 0 or more, got %d", r.maxFailures)
	}
	if r.maxDuration < 0 {
		note("--max-duration must be 0 or more, got %s", r.maxDuration)
	}
	if r.strict && r.repeat.repeats() {
		note("--strict is not for --watch and --every; nobody is there to fix the files")
	}
	if r.shardFiles < 0 {
		note("--shard-files must be 0 or more, got %d", r.shardFiles)
	}
	if r.name != "" && !batchName.MatchString(r.name) {
		note("--name %q is not a file name; use letters, digits, '.', '_' and '-', at most 80", r.name)
	}
	return faults
}

// batchNameOf names a batch by where its files come from and what they become.
func batchNameOf(spec manifest.Spec) string {
	name := slug(filepath.Base(spec.Source))
	if spec.To != "" {
		name += "-to-" + spec.To
	}
	return name
}

// batchID names the work, so that the same command finds the same run.
func batchID(name string, spec manifest.Spec) (string, error) {
	spec.OnExist, spec.MarkEvery, spec.Strict = "", 0, false // matters of the moment, not of the work
	data, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("name the batch: %w", err)
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("batch-%s-%s", slug(name), hex.EncodeToString(sum[:6])), nil
}
