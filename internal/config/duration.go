package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// longUnits are those that time.ParseDuration does not know. A day has 24 hours.
var longUnits = regexp.MustCompile(`(\d+(?:\.\d+)?)([dw])`)

// ParseDuration reads 90s, 1h30m, 3d, 1w, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	hours := longUnits.ReplaceAllStringFunc(text, func(part string) string {
		n, err := strconv.ParseFloat(part[:len(part)-1], 64)
		if err != nil {
			return part
		}
		n *= 24
		if strings.HasSuffix(part, "w") {
			n *= 7
		}
		return strconv.FormatFloat(n, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(hours)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 90s, 1h30m, 3d or 1w", text)
	}
	return d, nil
}
