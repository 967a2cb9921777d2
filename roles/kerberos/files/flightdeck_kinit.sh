#!/bin/sh
# In the place of kinit for `airflow kerberos`. The ticket is written beside the cache and moved: at every moment Airflow's
# group, and so a task, reads a whole one. What the KDC refuses, or does not answer, is asked again until it gives a
# ticket, because Airflow would end; airflow-health tells people the reason from the file beside the cache.
set -u
umask 0027
cache=
previous=
for argument do
    shift
    # Airflow renews each new ticket at once for the sake of Java 6, which fails where tickets cannot be renewed.
    [ "$argument" != -R ] || exit 0
    if [ "$previous" = -c ]; then
        cache=$argument
        argument=$cache.new
    fi
    previous=$argument
    set -- "$@" "$argument"
done
failure=$(dirname "$cache")/failure
until reason=$(kinit "$@" 2>&1 </dev/null); do
    printf '%s\n' "$reason" >&2
    printf '%s\n' "$reason" >"$failure.new"
    mv "$failure.new" "$failure"
    sleep 5
done
chmod 0640 "$cache.new"
mv "$cache.new" "$cache"
rm -f "$failure"
