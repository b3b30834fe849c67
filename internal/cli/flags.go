package cli

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/term"
)

// duration is the value of a flag.
type duration time.Duration

func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return term.Setting(time.Duration(*d))
}

func (d *duration) Set(text string) error {
	parsed, err := config.ParseDuration(text)
	*d = duration(parsed)
	return err
}

func (*duration) Type() string { return "duration" }

func durationVar(flags *pflag.FlagSet, d *time.Duration, name string, preset time.Duration, usage string) {
	*d = preset
	flags.Var((*duration)(d), name, usage)
}

// moment is a flag whose value is a date, or how long ago.
type moment struct{ time.Time }

func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

func (*moment) Type() string { return "time" }

// Set takes dates in the zone of this machine, unless they name one.
func (m *moment) Set(text string) error {
	if ago, err := config.ParseDuration(text); err == nil {
		if ago < 0 {
			return fmt.Errorf("%q is in the future", text)
		}
		m.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05", time.RFC3339Nano} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			m.Time = at
			return nil
		}
	}
	return fmt.Errorf("%q is not a date such as 2026-11-28 or '2026-11-28 14:00', and not a duration such as 90m, 3d or 1w", text)
}

// conversionOptions are the options of conversions as typed. The service refuses those that a pair does not take before
// anything is uploaded; here it is names and values that are checked.
type conversionOptions struct {
	typed  []string
	values option.Values // checked
	fault  error         // of what was typed
}

// optionFlags are the options that have flags of their own.
var optionFlags = []string{option.NamePaper, option.NameLandscape, option.NameMargins, option.NameDPI, option.NameWidth, option.NameHeight, option.NameCheck}

func (o *conversionOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.typed, "option", nil, "an option of the conversion, as NAME=VALUE; repeat it for several")
	for _, secret := range secretFlags {
		flags.String(secret.flag, "", "a file that holds the "+option.Of(secret.option)[0].Help)
	}
	for _, known := range option.Of(optionFlags...) {
		if known.Type == option.Boolean {
			flags.Bool(known.Name, false, known.Help)
			continue
		}
		flags.String(known.Name, "", known.Help)
	}
}

// secretFlags name files that hold passwords. What is typed is in the history of the shell, and seen by every process.
var secretFlags = []struct{ flag, option string }{{"password-file", option.NamePassword}, {"encrypt-file", option.NameEncrypt}}

// passwordFile is the absolute path of a file that holds a password.
func passwordFile(path string) (string, error) {
	absolute, err := readableFile(path)
	if err != nil {
		return "", err
	}
	file, err := os.Open(absolute) //nolint:gosec // the user names it
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // read only
	if _, err := option.ReadSecret(file); err != nil {
		return "", fmt.Errorf("%s is not the file of a password: %w", term.OneLine(path), err)
	}
	return absolute, nil
}

// read takes what was typed. Pages and quality have places of their own.
func (o *conversionOptions) read(cmd *cobra.Command, quality, pages *string) error {
	given, err := option.Parse(o.typed)
	if err != nil {
		return Usagef("--option: %v", err)
	}
	for _, name := range optionFlags {
		flag := cmd.Flags().Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		if _, twice := given[name]; twice {
			return Usagef("--%s and --option %s are the same; give one", name, name)
		}
		given[name] = flag.Value.String()
	}
	for _, secret := range secretFlags {
		flag := cmd.Flags().Lookup(secret.flag)
		if flag == nil || !flag.Changed {
			continue
		}
		if _, twice := given[secret.option]; twice {
			return Usagef("--%s and --option %s are the same; give one", secret.flag, secret.option)
		}
		given[secret.option] = option.InFile(flag.Value.String())
	}
	for name, place := range map[string]*string{option.NameQuality: quality, option.NamePages: pages} {
		value, ok := given[name]
		if !ok {
			continue
		}
		if *place != "" {
			return Usagef("--%s and --option %s are the same; give one", name, name)
		}
		*place = value
		delete(given, name)
	}
	taken := slices.DeleteFunc(option.Known(), func(o option.Option) bool { return o.Name == option.NameQuality })
	if o.values, err = option.Check(given, taken, "a conversion"); err != nil {
		return Usagef("%v", err)
	}
	if o.values, err = option.InFiles(o.values, passwordFile); err != nil {
		return Usagef("%v", err)
	}
	return nil
}
