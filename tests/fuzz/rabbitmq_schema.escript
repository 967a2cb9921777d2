%% Checks the files in /etc/rabbitmq as RabbitMQ reads them at its start: by the schemas of its plugins, and as Erlang terms.
%% Arguments: the directory of the plugins, files of terms.
main([Directory | Terms]) ->
    [code:add_pathz(Path) || Path <- filelib:wildcard(Directory ++ "/*/ebin")],
    Schema = cuttlefish_schema:files(filelib:wildcard(Directory ++ "/*/priv/schema/*.schema")),
    Files = ["/etc/rabbitmq/rabbitmq.conf" | filelib:wildcard("/etc/rabbitmq/conf.d/*.conf")],
    Found = [configuration(Schema, Files) | [file:consult(File) || File <- Terms]],
    Wrong = [Each || Each <- Found, element(1, Each) =/= ok],
    [io:format("~0p~n", [Each]) || Each <- Wrong],
    halt(length(Wrong)).

configuration(Schema, Files) ->
    case cuttlefish_conf:files(Files) of
        {errorlist, Errors} -> {error, Errors};
        Settings ->
            case cuttlefish_generator:map(Schema, Settings) of
                {error, Phase, Reason} -> {error, {Phase, Reason}};
                _ -> {ok, Files}
            end
    end.
