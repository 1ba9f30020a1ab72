local x = "a\"b" -- c
return function(user)
  user.web.get("/a?" .. x, { name = "n", target = [==[t]]]==] })
  user.check("ok", true)
end
