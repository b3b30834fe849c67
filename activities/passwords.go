package activities

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/convilyn/convilyn-temporal/client/option"
)

// withPasswords puts passwords in the place of the files that options name. Only what goes to the service has them: inputs of
// steps are in histories. A service whose jobs know no passwords is never asked with one, since its list was looked at before.
func (a *Activities) withPasswords(given option.Values) (option.Values, error) {
	open, secret := given.Split()
	if len(secret) == 0 {
		return given, nil
	}
	if open == nil {
		open = option.Values{}
	}
	for name, value := range secret {
		path, named := option.FileOf(value)
		if !named {
			return nil, inputError(CodeBadArgument, "the option %s is a password in clear; it has to name a file, as %s=@FILE", name, name)
		}
		password, err := a.readPassword(path)
		if err != nil {
			return nil, passwordError(name, path, err)
		}
		open[name] = password
	}
	return open, nil
}

func (a *Activities) readPassword(path string) (string, error) {
	file, err := a.openSource((&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		return "", err
	}
	defer file.Close()
	password, err := option.ReadSecret(file)
	if err != nil {
		return "", inputError(CodePasswordFile, "%s: %v", path, err)
	}
	return password, nil
}

// passwordError is why a file of a password cannot be used; the code of what may not be read at all stays.
func passwordError(name, path string, err error) error {
	var local *localError
	if !errors.As(err, &local) {
		return err
	}
	out := *local
	if out.code != CodeOutsideRoots && !out.retry {
		out.code = CodePasswordFile
	}
	out.text = fmt.Sprintf("the file %s of the option %s: %s", path, name, local.text)
	return &out
}
