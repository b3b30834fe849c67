package tables

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const accounting = `_(* #,##0.00_);_(* \(#,##0.00\);_(* "-"??_);_(@_)`

// What Excel shows.
func TestNumberFormats(t *testing.T) {
	const phone, scaled = "[<=9999999]###-####;(###) ###-####", `[>999999]#,,"M";[>999]#,"K";#`
	for _, row := range []struct {
		code  string
		value float64
		want  string
	}{
		{phone, 5551234567, "(555) 123-4567"},
		{phone, 5551234, "555-1234"},
		{`0;-0;"nil"`, 0, "nil"},
		{`0;-0;"nil"`, -3, "-3"},
		{scaled, 1.02, "1"},
		{scaled, 1500, "2K"},
		{scaled, 2_400_000, "2M"},
		{`"yes";"err";"no"`, 0, "no"},
		{`"yes";"err";"no"`, -1, "err"},
		{`"yes";"err";"no"`, 1, "yes"},
		{accounting, 0, "-"},
		{accounting, 1234.5, "1,234.50"},
		{accounting, -1234.5, "(1,234.50)"},
		{"##0.0E+0", 123456, "123.5E+3"},
		{"##0.0E+0", 999960, "1.0E+6"},
		{"##0.0E+0", 0.00012, "120.0E-6"},
		{"0.00E+00", 123456, "1.23E+05"},
		{"0.00E-00", 123456, "1.23E05"},
		{"0.00E+00", 0, "0.00E+00"},
		{"000-00-0000", 123456789, "123-45-6789"},
		{"000-00-0000", 6789, "000-00-6789"},
		{"00000", 501, "00501"},
		{"0.0,,\"M\"", 12_345_678, "12.3M"},
		{"0,", 1999, "2"},
		{"#,##0", 1234567.891, "1,234,568"},
		{"#,##0", -999.6, "-1,000"},
		{"0,000", 7, "0,007"},
		{"0.0%", 0.125, "12.5%"},
		{"0%", -0.5, "-50%"},
		{"#.##", 0, "."},
		{"#.##", 1.5, "1.5"},
		{"0.??", 1.5, "1.5"},
		{"0.00", 1.005, "1.01"},
		{"0.00", 2.675, "2.68"},
		{"#", 0, ""},
		{";;;", 5, ""},
		{"0;;", 0, ""},
		{`"Qty "0" pcs"`, 5, "Qty 5 pcs"},
		{"#,##0.00 [$€-407]", 1234.5, "1,234.50 €"},
		{`"$"#,##0.00;[Red]\("$"#,##0.00\)`, -1234.5, "($1,234.50)"},
		{`[>3]"big";"small"`, 4, "big"},
		{`[>3]"big";"small"`, 2, "small"},
		{"[<0]\"debt \"0;0", -7, "debt 7"},
		{`[=1]"one";[=2]"two";0`, 2, "two"},
		{`[=1]"one";[=2]"two";0`, -4, "-4"},
		{"* 0", 5, "5"},
		{"General", 12.5, "12.5"},
		{`General" kg"`, 0.30000000000000004, "0.3 kg"},
		{`General" kg"`, 1234.56789012, "1234.56789 kg"},
		{`General" kg"`, 1e300, "1E+300 kg"},
		{`General" kg"`, 0.0000123456789, "1.23457E-05 kg"},
		{`General" pcs"`, 4006381333931, "4006381333931 pcs"},
		{".00", 1.5, "1.50"},
		{".00", 0.5, ".50"},
		{"$.00", 12.5, "$12.50"},
		{".0%", 0.125, "12.5%"},
		{".00E+0", 1234, "1.23E+3"},
		{"#,##0,.0", 12345, "12.3"},
		{"0,.0,", 12_345_678, "12.3"},
		{`0.0" °C"`, 21.04, "21.0 °C"},
		{"0.00", 1e21, "1000000000000000000000.00"},
	} {
		t.Run(row.code, func(t *testing.T) {
			f := parseNumberFormat(row.code)
			require.NotNil(t, f)
			got, ok := f.format(row.value)
			require.True(t, ok)
			assert.Equal(t, row.want, got, "%v", row.value)
		})
	}
}

func TestFormatsThatAreNotOfNumbers(t *testing.T) {
	for _, code := range []string{"yyyy-mm-dd", "[h]:mm", "# ?/?", "@", "[$-409]d-mmm", "hh:mm AM/PM", "\"open", "[open", "0.0.0"} {
		t.Run(code, func(t *testing.T) { assert.Nil(t, parseNumberFormat(code)) })
	}
}

// FuzzNumberFormat: any code is one of numbers that sets all of them, or none.
func FuzzNumberFormat(f *testing.F) {
	for _, code := range []string{accounting, "##0.0E+0", "[<=9999999]###-####;(###) ###-####", "0,,", "#.##", "[>1]"} {
		f.Add(code, 1234.5)
		f.Add(code, -0.001)
	}
	f.Fuzz(func(t *testing.T, code string, value float64) {
		format := parseNumberFormat(code)
		if format == nil {
			return
		}
		text, ok := format.format(value)
		if ok {
			require.Less(t, len(text), 3000)
			require.False(t, math.IsNaN(value))
		}
	})
}
